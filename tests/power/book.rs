//! What was asked and what was answered: what a client may rely on. Each answer
//! has a mark: how long the log of the disk was when it arrived. What was
//! answered by some mark has to be there after any crash later than that.

use std::collections::HashMap;

use bursar::proto::v1::{AuthorizePayoutRequest, Payout, Receipt, RecordMovementRequest};

/// A place in the log of the disk. 0 where there is no log.
pub type Mark = u64;
/// After everything.
pub const END: Mark = Mark::MAX;

/// A request for a payout, and what became of it.
#[derive(Clone, Debug)]
pub struct Life {
    pub request: AuthorizePayoutRequest,
    /// The first answer.
    pub answer: Option<(Mark, Receipt)>,
    /// Calls about its payout, in order; each was sent after the one before it
    /// was answered.
    pub steps: Vec<Step>,
}

/// A call about a payout. Refused ones are not kept: they change nothing.
#[derive(Clone, Default, Debug)]
pub struct Step {
    pub answer: Option<(Mark, Payout)>,
}

/// A movement of money, and the marks of its answers.
#[derive(Clone, Debug)]
pub struct Move {
    pub request: RecordMovementRequest,
    pub answer: Option<Mark>,
}

/// Something configured whose value is written by one client alone, each time
/// after the time before was answered. The first value is that it is absent.
#[derive(Clone, Debug)]
pub struct Chain {
    pub thing: Thing,
    pub values: Vec<(String, Option<Mark>)>,
}

/// What is configured, by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Thing {
    Shop(String),
    Grant(String),
    Order(String),
    Freeze(String),
    Programme(String),
}

/// How something reads that is not there.
pub const ABSENT: &str = "absent";

#[derive(Clone, Default, Debug)]
pub struct Book {
    pub lives: Vec<Life>,
    pub moves: Vec<Move>,
    pub chains: Vec<Chain>,
    by_request: HashMap<(String, String), usize>,
}

impl Book {
    /// Where a request stands; notes that it is sent.
    pub fn asked(&mut self, request: AuthorizePayoutRequest) -> usize {
        let key = (request.parent.clone(), request.request_id.clone());
        *self.by_request.entry(key).or_insert_with(|| {
            self.lives.push(Life { request, answer: None, steps: Vec::new() });
            self.lives.len() - 1
        })
    }

    /// Notes an answer; all answers to a request have to be the same.
    pub fn answered(&mut self, life: usize, mark: Mark, receipt: Receipt) {
        let life = &mut self.lives[life];
        if let Some((_, first)) = &life.answer {
            assert_eq!(lasting(first), lasting(&receipt), "one request, two answers");
        } else {
            life.answer = Some((mark, receipt));
        }
    }

    pub fn life_of(&self, parent: &str, request_id: &str) -> Option<&Life> {
        let at = self.by_request.get(&(parent.to_owned(), request_id.to_owned()))?;
        self.lives.get(*at)
    }

    /// Begins something configured; gives its place.
    pub fn begins(&mut self, thing: Thing) -> usize {
        self.chains.push(Chain { thing, values: vec![(ABSENT.to_owned(), Some(0))] });
        self.chains.len() - 1
    }

    /// How many calls were answered by a mark.
    pub fn answers_by(&self, mark: Mark) -> usize {
        let by = |at: &Mark| *at <= mark;
        let lives: usize = self.lives.iter().map(|life| life.answers_by(mark)).sum();
        let moves = self.moves.iter().filter(|m| m.answer.as_ref().is_some_and(by)).count();
        let values = self.chains.iter().flat_map(|chain| chain.values.iter().skip(1));
        lives + moves + values.filter(|(_, at)| at.as_ref().is_some_and(by)).count()
    }

    /// The marks of all answers.
    pub fn marks(&self) -> Vec<Mark> {
        let lives = self.lives.iter().filter_map(|life| life.answer.as_ref().map(|(at, _)| *at));
        let steps = self.lives.iter().flat_map(|life| &life.steps);
        let steps = steps.filter_map(|step| step.answer.as_ref().map(|(at, _)| *at));
        let moves = self.moves.iter().filter_map(|m| m.answer);
        let values = self.chains.iter().flat_map(|chain| chain.values.iter().skip(1));
        let values = values.filter_map(|(_, at)| *at);
        lives.chain(steps).chain(moves).chain(values).collect()
    }
}

impl Life {
    /// The answer, if it came by a mark.
    pub fn receipt_by(&self, mark: Mark) -> Option<&Receipt> {
        self.answer.as_ref().filter(|(at, _)| *at <= mark).map(|(_, receipt)| receipt)
    }

    fn answers_by(&self, mark: Mark) -> usize {
        usize::from(self.receipt_by(mark).is_some()) + self.steps_by(mark)
    }

    /// How many of the calls about its payout were answered by a mark.
    pub fn steps_by(&self, mark: Mark) -> usize {
        let by = |step: &&Step| step.answer.as_ref().is_some_and(|(at, _)| *at <= mark);
        self.steps.iter().take_while(by).count()
    }
}

impl Chain {
    /// What it may be after a crash between two marks: what was answered last by
    /// the first, or any later one that was under way by the second.
    pub fn possible(&self, first: Mark, second: Mark) -> Vec<&str> {
        let answered = |mark: Mark| {
            let by = |(_, at): &&(String, Option<Mark>)| at.is_some_and(|at| at <= mark);
            self.values.iter().take_while(by).count()
        };
        let (last, next) = (answered(first).saturating_sub(1), answered(second));
        let values = self.values.iter().take(next + 1).skip(last);
        values.map(|(value, _)| value.as_str()).collect()
    }
}

/// A receipt without what changes with the payout.
pub fn lasting(receipt: &Receipt) -> Receipt {
    Receipt { replayed: false, state: 0, ..receipt.clone() }
}
