//! Refusals and hedges, in the languages that small models most refuse in.
//!
//! A refusal stands at the very beginning: behind any number of openings ("I'm sorry, but", "As an AI language model,", "Leider") comes a
//! phrase that says that the model cannot, will not or does not know. A hedge may stand anywhere in the first sentences.
//!
//! What a reader could get wrong: a phrase later in the text, as in a story or a quotation, is no refusal, and sympathy ("I'm sorry to hear
//! that") is none either: an opening alone refuses nothing. What begins like a refusal and is praise or idiom stands in `NOT`.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// What may stand before a refusal, any number of times. Lower case, straight apostrophes.
const OPENINGS: &str = "
i'm really sorry; i'm very sorry; i'm so sorry; i'm sorry; i am sorry; sorry; i apologize; i apologise;
my apologies; apologies; for the confusion; for the inconvenience; for any inconvenience; unfortunately;
regrettably; i'm afraid; i am afraid; as an ai language model; as a language model; as a large language model;
as an ai assistant; as an ai; as an assistant; well; but; however; that; at this time; currently;
i understand your request;
es tut mir leid; tut mir leid; entschuldigung; ich bitte um entschuldigung; leider; aber; als ki-sprachmodell;
als ki; als sprachmodell; als ki-assistent;
je suis désolé; je suis désolée; désolé; désolée; je m'excuse; malheureusement; mais; en tant qu'ia;
en tant que modèle de langage; en tant qu'assistant;
lo siento mucho; lo siento; disculpa; disculpe; lamentablemente; desafortunadamente; pero;
como modelo de lenguaje; como ia; desculpe; desculpa; sinto muito; lamento; infelizmente; mas;
como um modelo de linguagem;
mi dispiace; spiacente; purtroppo; ma; in quanto modello linguistico; het spijt me; sorry; helaas; maar;
als taalmodel; przykro mi; przepraszam; niestety; ale;
извините; простите; к сожалению; мне жаль; но; как языковая модель; üzgünüm; maalesef; ama; ancak;
很抱歉; 非常抱歉; 抱歉; 对不起; 對不起; 不好意思; 但是; 但; 作为一个人工智能语言模型; 作为一个ai语言模型; 作为ai; 作为一个ai; 申し訳ありませんが; 申し訳ございませんが; 申し訳ありません;
申し訳ございません; すみませんが; すみません; 残念ながら; 죄송합니다만; 죄송하지만; 죄송합니다; 미안합니다; 아쉽게도";

/// What refuses, at the beginning or behind an opening.
const CORES: &str = "
i can't; i cannot; i can not; i am unable; i'm unable; i am not able; i'm not able; i'm not allowed;
i am not allowed; i won't; i will not; i must decline; i have to decline; i need to decline; i don't have access;
i do not have access; i don't have the ability; i do not have the ability; i don't have enough information;
i do not have enough information; i don't have any information; i do not have any information; i don't know;
i do not know; i have no idea; i couldn't find; i could not find; i'm not programmed; i am not programmed;
it is not possible for me; it's not possible for me; it is not appropriate for me; no comment; ich kann nicht;
ich kann ihnen nicht; ich kann dir nicht; ich kann dabei nicht; ich kann diese frage nicht; ich kann diese anfrage nicht; ich kann dazu kein;
ich kann dir dabei nicht; ich kann ihnen dabei nicht; kann ich nicht; kann ich ihnen nicht; kann ich dir nicht;
kann ich diese frage nicht; kann ich diese anfrage nicht; kann ich dabei nicht; kann ich dir dabei nicht; kann ich ihnen dabei nicht; ich darf nicht;
ich bin nicht in der lage; bin ich nicht in der lage; ich habe keinen zugriff; habe ich keinen zugriff;
ich weiß es nicht; ich weiß nicht; das weiß ich nicht; das kann ich nicht; je ne peux pas;
je ne suis pas en mesure; je ne suis pas capable; je n'ai pas accès; je ne sais pas; je ne puis; je refuse;
il m'est impossible; no puedo; no me es posible; no estoy en condiciones; no tengo acceso; no tengo la capacidad;
no lo sé; no sé; não posso; não consigo; não sou capaz; não tenho acesso; não sei; eu não posso; eu não sei;
non posso; non sono in grado; non ho accesso; non lo so; non so; ik kan niet; ik kan je niet; ik kan u niet;
ik kan hier niet; ik kan daar niet; ik ben niet in staat; ik heb geen toegang; ik weet het niet; dat kan ik niet;
nie mogę; nie jestem w stanie; nie mam dostępu; nie wiem; я не могу; не могу; я не в состоянии;
у меня нет доступа; я не знаю; bunu yapamam; yardımcı olamam; bu konuda yardımcı olamam; bilmiyorum;
bu isteği yerine getiremem; erişimim yok; 我无法; 我不能; 我没有办法; 我不知道; 我無法; 我没有权限; 无法提供; 无法回答; 我不具备; お手伝いできません;
お答えできません; その質問にはお答えできません; そのリクエストにはお応えできません; わかりません; 分かりません; その要求には応じられません; 対応できません; 提供できません; 도와드릴 수 없습니다;
답변할 수 없습니다; 답변드릴 수 없습니다; 해당 요청을 처리할 수 없습니다; 모르겠습니다; 알 수 없습니다";

/// What begins like a core and is none.
const NOT: &str = "
i can't help but; i cannot help but; i can't wait; i cannot wait; i can't stress; i cannot stress;
i can't emphasize; i cannot emphasize; i cannot overstate; i can't overstate; i can't thank; i cannot thank;
i cannot recommend; i can't recommend; i can't believe; i cannot believe; i couldn't agree more;
i can't agree more; i don't know about you; i won't lie; i will not lie; i can't imagine; i can't tell you how;
i don't know anyone; no puedo esperar; no puedo evitar; je ne peux pas m'empêcher; ich kann nicht umhin;
ich kann nicht anders";

/// Doubt in its own words. Matched as they stand; word borders matter little in phrases this long.
const HEDGES: &str = "
i'm not sure; i am not sure; i'm not certain; i am not certain; i'm not entirely sure; i'm not 100% sure;
i may be wrong; i might be wrong; i could be wrong; i'm not aware of; as of my last update;
as of my knowledge cutoff; my knowledge cutoff; my training data; i don't have real-time;
i do not have real-time; don't have up-to-date; it's possible that i; i don't have personal;
it's difficult to say; it is difficult to say; hard to say for sure; to the best of my knowledge;
as an ai language model; as an ai,; please consult a; you may want to check; ich bin mir nicht sicher;
ich bin nicht sicher; nach meinem kenntnisstand; schwer zu sagen; je ne suis pas sûr; je ne suis pas certain;
il est difficile de dire; no estoy seguro; no estoy segura; es difícil decir; não tenho certeza; non sono sicuro;
ik weet niet zeker; ik ben niet zeker; nie jestem pewien; я не уверен; emin değilim; 我不确定; 我不太确定; 確信が持てません;
확실하지 않습니다";

/// The phrases of one kind: they are parted by semicolons.
type Phrases = LazyLock<Vec<&'static str>>;

fn split(list: &'static str) -> Vec<&'static str> {
    list.split(';').map(str::trim).collect()
}

/// Openings in a row: more is no speech.
const MOST_OPENINGS: usize = 6;

/// Whether a text begins with a refusal. `head`: its beginning, as [`fold`] makes it.
pub(super) fn refuses(head: &str) -> bool {
    static PHRASES: [Phrases; 3] =
        [LazyLock::new(|| split(NOT)), LazyLock::new(|| split(CORES)), LazyLock::new(|| split(OPENINGS))];
    let [not, cores, openings] = &PHRASES;
    let mut rest = start(head);
    for _ in 0..=MOST_OPENINGS {
        if not.iter().any(|idiom| starts(rest, idiom)) {
            return false;
        }
        if cores.iter().any(|core| starts(rest, core)) {
            return true;
        }
        // The longest: "i'm sorry" before "i'm".
        let opening = openings.iter().filter(|opening| starts(rest, opening)).map(|opening| opening.len()).max();
        let Some(length) = opening else { return false };
        rest = start(rest.get(length..).unwrap_or_default());
    }
    false
}

/// How many hedges there are in a text's beginning.
pub(super) fn hedges(head: &str) -> u32 {
    static FIND: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(split(HEDGES)).ok());
    let Some(find) = &*FIND else { return 0 };
    u32::try_from(find.find_iter(head).count()).unwrap_or(u32::MAX)
}

/// Lower case, with one kind of apostrophe.
pub(super) fn fold(text: &str) -> String {
    text.chars()
        .map(|c| if matches!(c, '\u{2019}' | '\u{2018}' | '`' | '\u{02bc}') { '\'' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

/// Without marks, quotes and spaces before the first word.
fn start(text: &str) -> &str {
    text.trim_start_matches(|c: char| !c.is_alphanumeric())
}

/// Whether a text starts with a phrase, and the phrase ends where a word does (where there are words).
fn starts(text: &str, phrase: &str) -> bool {
    let Some(rest) = text.strip_prefix(phrase) else { return false };
    let spaced = phrase.chars().next_back().is_some_and(|last| last < '\u{2e80}');
    !spaced || !rest.chars().next().is_some_and(|next| next.is_alphanumeric() && next < '\u{2e80}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuses_folded(text: &str) -> bool {
        refuses(&fold(text))
    }

    #[test]
    fn refusals_are_recognised_in_many_languages() {
        for text in [
            "I'm sorry, but I can't help with that.",
            "I’m sorry, but as an AI language model, I cannot browse the internet.",
            "**Sorry**, I can't assist with this request.",
            "Unfortunately, I don't have access to real-time data.",
            "I do not know the answer to that question.",
            "I cannot answer.",
            "\"I apologize, but I am unable to do that.\"",
            "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
            "Leider kann ich diese Frage nicht beantworten.",
            "Je suis désolé, mais je ne peux pas répondre à cette question.",
            "Lo siento, pero no puedo ayudarte con eso.",
            "Desculpe, mas não posso ajudar com isso.",
            "Mi dispiace, ma non posso aiutarti.",
            "Het spijt me, maar ik kan je niet helpen.",
            "Niestety, nie mogę pomóc.",
            "К сожалению, я не могу ответить на этот вопрос.",
            "Üzgünüm, bu konuda yardımcı olamam.",
            "很抱歉，我无法回答这个问题。",
            "申し訳ありませんが、お答えできません。",
            "죄송합니다만, 도와드릴 수 없습니다.",
        ] {
            assert!(refuses_folded(text), "{text}");
        }
    }

    #[test]
    fn answers_that_only_sound_like_it_are_none() {
        for text in [
            "I'm sorry to hear that you are unwell. Here is what you can do:",
            "I can't help but admire your plan.",
            "I cannot recommend this book highly enough.",
            "The phrase \"I can't help with that\" is a refusal.",
            "Sorry for your loss. A letter of condolence could read:",
            "Es tut mir leid, das zu hören. Hier ist der Brief:",
            "Nobody can't do it.",
            "I canter through the woods.",
            "Unfortunately, the train leaves at nine, so we should hurry.",
            "No problem. The answer is 42.",
            "Maybe the mast is broken.",
            "Once upon a time a fox said: I cannot reach the grapes.",
            "",
            "...",
        ] {
            assert!(!refuses_folded(text), "{text}");
        }
    }

    #[test]
    fn hedges_are_counted() {
        assert_eq!(hedges(&fold("I’m not sure, and I may be wrong, but it is Paris.")), 2);
        assert_eq!(hedges(&fold("It is Paris, I am sure.")), 0);
    }
}
