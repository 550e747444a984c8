//! Contractions written out, with and without their apostrophe, so that "don't" and "do not" are the same two words.
//!
//! What a reader could get wrong: "'s" is written out only after words where it is never a possessive.

/// The words that a contraction stands for.
pub fn contraction(word: &str) -> Option<&'static str> {
    Some(match word {
        "don't" | "dont" => "do not",
        "doesn't" | "doesnt" => "does not",
        "didn't" | "didnt" => "did not",
        "can't" | "cant" | "cannot" => "can not",
        "couldn't" | "couldnt" => "could not",
        "won't" => "will not",
        "wouldn't" | "wouldnt" => "would not",
        "shouldn't" | "shouldnt" => "should not",
        "isn't" | "isnt" => "is not",
        "aren't" | "arent" => "are not",
        "wasn't" | "wasnt" => "was not",
        "weren't" => "were not",
        "hasn't" | "hasnt" => "has not",
        "haven't" | "havent" => "have not",
        "hadn't" => "had not",
        "mustn't" => "must not",
        "needn't" => "need not",
        "what's" | "whats" => "what is",
        "how's" | "hows" => "how is",
        "who's" => "who is",
        "where's" | "wheres" => "where is",
        "when's" => "when is",
        "why's" => "why is",
        "it's" => "it is",
        "that's" | "thats" => "that is",
        "there's" => "there is",
        "let's" => "let us",
        "i'm" | "im" => "i am",
        "i've" | "ive" => "i have",
        "i'd" => "i would",
        "i'll" => "i will",
        "you're" => "you are",
        "you've" => "you have",
        "we're" => "we are",
        "they're" => "they are",
        "gotta" => "have to",
        "wanna" => "want to",
        "unsafe" => "not safe",
        _ => return None,
    })
}
