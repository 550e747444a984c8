//! An edge answer's stream under the id of the job that follows it, and a copy of it for that job.
//!
//! What a reader could get wrong: it passes whole frames on as soon as they come; the copy is for afterwards, and there is none of a stream that
//! broke off.

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::openai::renamed;

/// A longer answer is not kept beside the cloud's.
const LARGEST: usize = 8 << 20;

/// Passes frames on under another id.
#[derive(Debug)]
pub struct Renaming {
    /// In quotes.
    id: Bytes,
    heard: Vec<Bytes>,
    bytes: usize,
    told: oneshot::Sender<Vec<Bytes>>,
}

impl Renaming {
    /// The receiver gets the whole stream at its end; nothing where it breaks off.
    pub fn new(id: &str) -> (Renaming, oneshot::Receiver<Vec<Bytes>>) {
        let (told, whole) = oneshot::channel();
        (Renaming { id: format!("\"{id}\"").into(), heard: vec![], bytes: 0, told }, whole)
    }

    /// Whole frames on their way to the client.
    pub fn pass(&mut self, frames: Bytes) -> Bytes {
        let renamed = renamed::frames(frames, &self.id);
        self.bytes += renamed.len();
        match self.bytes <= LARGEST {
            true => self.heard.push(renamed.clone()),
            false => self.heard = vec![],
        }
        renamed
    }

    /// The stream has come to its own end.
    pub fn end(self) {
        if self.bytes <= LARGEST {
            // Nobody waits where the gateway stops.
            let _told = self.told.send(self.heard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_what_was_passed_on() {
        let (mut renaming, mut whole) = Renaming::new("chatcmpl-tg1");
        let frames = [
            "data: {\"id\": \"c1\",\"choices\":[]}\n\n",
            "data: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\"c1\"}}]}\n\ndata: {\"id\":\"\",\"choices\":[]}\n\n",
            "data: [DONE]\n\n",
        ];
        let passed: Vec<Bytes> = frames.iter().map(|frame| renaming.pass(Bytes::from(*frame))).collect();
        assert_eq!(passed[0], "data: {\"id\": \"chatcmpl-tg1\",\"choices\":[]}\n\n");
        assert_eq!(
            passed[1],
            "data: {\"id\":\"chatcmpl-tg1\",\"choices\":[{\"delta\":{\"content\":\"c1\"}}]}\n\ndata: {\"id\":\"chatcmpl-tg1\",\"choices\":[]}\n\n"
        );
        assert!(whole.try_recv().is_err());
        renaming.end();
        assert_eq!(whole.try_recv().unwrap(), passed);
    }
}
