//! Spelling: the hash of a word, its stem, and whether one word is the other with a slip of the pen.
//!
//! What a reader could get wrong: a stem need not be a word, it only has to be the same for forms of one word; all input is lower case.

/// FNV-1a of a word.
pub const fn hash(word: &str) -> u32 {
    bytes(word.as_bytes())
}

const fn bytes(mut word: &[u8]) -> u32 {
    let mut sum = 0x811c_9dc5_u32;
    while let [byte, rest @ ..] = word {
        sum = (sum ^ *byte as u32).wrapping_mul(0x0100_0193);
        word = rest;
    }
    sum
}

/// Forms that no rule makes.
const IRREGULAR: [(&str, &str); 72] = [
    ("went", "go"),
    ("gone", "go"),
    ("bought", "buy"),
    ("sold", "sell"),
    ("made", "make"),
    ("paid", "pay"),
    ("gave", "give"),
    ("given", "give"),
    ("took", "take"),
    ("taken", "take"),
    ("found", "find"),
    ("spent", "spend"),
    ("ate", "eat"),
    ("eaten", "eat"),
    ("ran", "run"),
    ("began", "begin"),
    ("begun", "begin"),
    ("knew", "know"),
    ("known", "know"),
    ("wrote", "write"),
    ("written", "write"),
    ("broke", "break"),
    ("broken", "break"),
    ("stole", "steal"),
    ("stolen", "steal"),
    ("chose", "choose"),
    ("chosen", "choose"),
    ("grew", "grow"),
    ("grown", "grow"),
    ("sent", "send"),
    ("kept", "keep"),
    ("held", "hold"),
    ("told", "tell"),
    ("said", "say"),
    ("thought", "think"),
    ("taught", "teach"),
    ("brought", "bring"),
    ("caught", "catch"),
    ("built", "build"),
    ("lent", "lend"),
    ("lost", "lose"),
    ("won", "win"),
    ("met", "meet"),
    ("came", "come"),
    ("became", "become"),
    ("saw", "see"),
    ("seen", "see"),
    ("drove", "drive"),
    ("driven", "drive"),
    ("flew", "fly"),
    ("flown", "fly"),
    ("drank", "drink"),
    ("slept", "sleep"),
    ("spoke", "speak"),
    ("spoken", "speak"),
    ("wore", "wear"),
    ("worn", "wear"),
    ("children", "child"),
    ("men", "man"),
    ("women", "woman"),
    ("people", "person"),
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("mice", "mouse"),
    ("lives", "life"),
    ("wives", "wife"),
    ("knives", "knife"),
    ("halves", "half"),
    ("centre", "center"),
    ("theatre", "theater"),
    ("litre", "liter"),
    ("metre", "meter"),
];

/// Hash of the stem of a word in lower case.
pub fn stem(word: &str) -> u32 {
    if word.len() <= 3 || !word.is_ascii() || word.len() > 30 {
        let regular = IRREGULAR.iter().find(|(form, _)| *form == word).map(|(_, base)| *base);
        return regular.map_or_else(|| hash(word), stem);
    }
    if let Some((_, base)) = IRREGULAR.iter().find(|(form, _)| *form == word) {
        return stem(base);
    }
    let mut buffer = [0_u8; 32];
    let mut end = word.len();
    let Some(room) = buffer.get_mut(..end) else { return hash(word) };
    room.copy_from_slice(word.as_bytes());
    end = plural(&mut buffer, end);
    end = british(&mut buffer, end);
    end = inflected(&mut buffer, end);
    bytes(buffer.get(..end).unwrap_or_default())
}

fn ends(word: &[u8], end: usize, with: &[u8]) -> bool {
    word.get(..end).is_some_and(|word| word.ends_with(with))
}

fn set(word: &mut [u8], at: usize, letter: u8) {
    if let Some(place) = word.get_mut(at) {
        *place = letter;
    }
}

fn plural(word: &mut [u8], end: usize) -> usize {
    if ends(word, end, b"ies") && end > 4 {
        set(word, end - 3, b'y');
        return end - 2;
    }
    if [b"sses".as_slice(), b"shes", b"ches", b"xes", b"zes"].iter().any(|with| ends(word, end, with)) {
        return end - 2;
    }
    let kept = [b"ss".as_slice(), b"us", b"is", b"'s"].iter().any(|with| ends(word, end, with));
    if ends(word, end, b"'s") {
        return end - 2;
    }
    if ends(word, end, b"s") && !kept { end - 1 } else { end }
}

/// The American spelling of what has two.
fn british(word: &mut [u8], end: usize) -> usize {
    if end > 5 && ends(word, end, b"our") {
        set(word, end - 2, b'r');
        return end - 1;
    }
    for with in [b"ise".as_slice(), b"ised", b"ising", b"isation"] {
        if end > with.len() + 3 && ends(word, end, with) {
            set(word, end - with.len() + 1, b'z');
            return end;
        }
    }
    end
}

fn inflected(word: &mut [u8], mut end: usize) -> usize {
    if ends(word, end, b"ied") && end > 4 {
        set(word, end - 3, b'y');
        return end - 2;
    }
    for with in [b"ing".as_slice(), b"ed"] {
        let rest = end.saturating_sub(with.len());
        let vowel = word.get(..rest).is_some_and(|rest| rest.iter().any(|letter| b"aeiouy".contains(letter)));
        if rest >= 3 && vowel && ends(word, end, with) {
            end = rest;
            let double = end >= 2 && word.get(end - 1) == word.get(end - 2);
            if double && word.get(end - 1).is_some_and(|letter| b"bdgmnprt".contains(letter)) {
                end -= 1;
            }
            break;
        }
    }
    if ends(word, end, b"ly") && end >= 6 {
        end -= 2;
    }
    if ends(word, end, b"e") && end > 3 { end - 1 } else { end }
}

/// Whether one edit (a letter more, less or other, two neighbours exchanged) makes one of the other; words of five letters and more.
pub fn slip(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a.as_bytes(), b.as_bytes()) } else { (b.as_bytes(), a.as_bytes()) };
    if short.len() < 4 || long.len() < 5 || long.len() - short.len() > 1 {
        return false;
    }
    let front = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let back = short.iter().rev().zip(long.iter().rev()).take_while(|(a, b)| a == b).count();
    if long.len() != short.len() {
        return front + back >= short.len();
    }
    if front + back + 1 >= short.len() {
        return true;
    }
    front + back + 2 == short.len()
        && short.get(front) == long.get(front + 1)
        && short.get(front + 1) == long.get(front)
}
