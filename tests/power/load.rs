//! A mixed load: clients that ask for payouts, again, twice at once, in batches
//! and on streams, take them through their lives, move money and configure, until the
//! server is gone or they are told to stop. All goes into the book.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bursar::proto::v1::{
    AuthorizePayoutRequest, BatchAuthorizePayoutsRequest, Decision,
    authorize_payout_result::Result as Outcome,
};
use tokio::task::JoinSet;
use tonic::Code;

use crate::{
    book::{Book, Mark},
    chains::Chains,
    client::{Client, No},
    dice::Dice,
    process::Server,
    world::{BRIEF_SECONDS, OPERATORS, Programme, SHOPS, authorize, credit},
};

/// How many clients there are, each with two connections.
const CLIENTS: u64 = 8;
/// Payouts of one client about one order.
const PER_ORDER: u64 = 3;

/// Tells how long the log of the disk is.
pub type Clock = Arc<dyn Fn() -> Mark + Send + Sync>;

/// A load that is going on.
pub struct Load {
    pub book: Arc<Mutex<Book>>,
    stop: Arc<AtomicBool>,
    hands: JoinSet<()>,
}

impl Load {
    /// Starts it. What `round` it is keeps names apart.
    pub async fn start(
        server: &Server,
        book: Book,
        round: u64,
        dice: &mut Dice,
        clock: Clock,
    ) -> Self {
        let (book, stop) = (Arc::new(Mutex::new(book)), Arc::new(AtomicBool::new(false)));
        let mut hands = JoinSet::new();
        for number in 0..CLIENTS {
            let hand = Hand {
                client: Client::connect(server).await,
                other: Client::connect(server).await,
                notes: Notes { book: book.clone(), clock: clock.clone() },
                dice: dice.fork(number),
                label: format!("{round}-{number}"),
                turn: 0,
                lives: Vec::new(),
                later: VecDeque::new(),
                stop: stop.clone(),
            };
            hands.spawn(hand.work());
        }
        Self { book, stop, hands }
    }

    /// Waits until so many answers came, or nobody asks any more.
    pub async fn answers(&mut self, enough: usize, patience: Duration) {
        let until = Instant::now() + patience;
        while Instant::now() < until && !self.hands.is_empty() {
            if self.book.lock().expect("the book").answers_by(Mark::MAX) >= enough {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("fewer than {enough} answers");
    }

    /// Clients end with what they are at.
    pub fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// What was asked and answered, once all clients have ended.
    pub async fn end(self) -> Book {
        self.tell_to_stop();
        self.end_by_itself().await
    }

    /// The same, without telling them to.
    pub async fn end_by_itself(mut self) -> Book {
        while let Some(hand) = self.hands.join_next().await {
            hand.expect("a client");
        }
        let mut book = self.book.lock().expect("the book");
        std::mem::take(&mut book)
    }
}

/// Where a client writes down what it asks and hears.
#[derive(Clone)]
pub struct Notes {
    book: Arc<Mutex<Book>>,
    clock: Clock,
}

impl Notes {
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("the book")
    }

    pub fn mark(&self) -> Mark {
        (self.clock)()
    }
}

/// A client.
pub struct Hand {
    pub client: Client,
    other: Client,
    pub notes: Notes,
    pub dice: Dice,
    label: String,
    turn: u64,
    /// Its payouts so far.
    lives: Vec<usize>,
    /// Payouts to come back to, when their holds have expired.
    later: VecDeque<(Instant, usize)>,
    stop: Arc<AtomicBool>,
}

impl Hand {
    async fn work(mut self) {
        let mut chains = Chains::new(&self.label);
        while !self.stop.load(Ordering::Relaxed) {
            self.turn += 1;
            let done = match self.dice.below(20) {
                0..9 => self.one().await,
                9 => self.stream().await,
                10 => self.twice_at_once().await,
                11 => self.again().await,
                12..14 => self.batch().await,
                14 => self.movement().await,
                15..17 => self.come_back().await,
                _ => chains.write(&mut self.dice, &self.client, &self.notes).await,
            };
            match done {
                Ok(()) => {}
                Err(No::Gone) => return,
                Err(No::Refused(why)) => panic!("refused: {why}"),
            }
        }
    }

    fn request(&mut self, turn: u64, item: usize) -> AuthorizePayoutRequest {
        let programme = if self.dice.percent(20) { Programme::Brief } else { Programme::Lasting };
        let shop = SHOPS[self.dice.below(SHOPS.len())];
        // Clients meet at the same orders.
        let number = turn / PER_ORDER;
        let round = self.label.split('-').next().unwrap_or_default();
        let order = format!("o-{round}-{number}-{programme:?}").to_lowercase();
        let id = format!("r-{}-{turn}-{item}", self.label);
        let fen = 1 + i64::try_from(self.dice.below(15_000)).expect("small");
        let operator = OPERATORS[self.dice.below(OPERATORS.len())];
        authorize(programme, shop, &id, &order, operator, fen)
    }

    async fn one(&mut self) -> Result<(), No> {
        let request = self.request(self.turn, 0);
        let life = self.ask(&self.client.clone(), request).await?;
        self.live(life).await
    }

    /// Sends a request and notes its answer.
    async fn ask(&self, client: &Client, request: AuthorizePayoutRequest) -> Result<usize, No> {
        let life = self.notes.book().asked(request.clone());
        let receipt = client.authorize_payout(request).await?;
        let mark = self.notes.mark();
        self.notes.book().answered(life, mark, receipt);
        Ok(life)
    }

    /// The same request on two connections: it holds once.
    async fn twice_at_once(&mut self) -> Result<(), No> {
        let request = self.request(self.turn, 0);
        let (one, two) =
            tokio::join!(self.ask(&self.client, request.clone()), self.ask(&self.other, request));
        let life = one?;
        two?;
        self.live(life).await
    }

    /// A request that was answered long ago.
    async fn again(&mut self) -> Result<(), No> {
        let Some(life) = self.some_life() else { return Ok(()) };
        let request = self.notes.book().lives[life].request.clone();
        self.ask(&self.other, request).await.map(|_| ())
    }

    fn some_life(&mut self) -> Option<usize> {
        let at = self.dice.below(self.lives.len().max(1));
        self.lives.get(at).copied()
    }

    /// Some requests together; one of them malformed, one sent before.
    async fn batch(&mut self) -> Result<(), No> {
        let parent = self.request(self.turn, 0).parent;
        let mut requests = Vec::new();
        for item in 0..2 + self.dice.below(8) {
            let mut request = self.request(self.turn, item);
            if request.parent == parent {
                requests.push(request);
            } else if requests.len() < 2 {
                request.request_id.clear();
                requests.push(request);
            }
        }
        requests.extend(requests.first().cloned());
        if requests.is_empty() {
            return Ok(());
        }
        let sent = self.sent(&requests);
        let request = BatchAuthorizePayoutsRequest { requests, ..Default::default() };
        let answer = self.client.batch_authorize_payouts(request).await?;
        let came = sent.iter().zip(answer.results).map(|(life, one)| self.came(*life, one.result));
        // All of them are noted, whatever came of the others.
        came.collect::<Vec<_>>().into_iter().collect::<Result<(), No>>()?;
        self.live_all(sent).await
    }

    /// Requests one behind the other, of several shops; one of them malformed,
    /// one sent twice. Each answer is noted as it comes: what was answered when
    /// the stream ends stands, and of the rest nobody knows.
    async fn stream(&mut self) -> Result<(), No> {
        let count = 3 + self.dice.below(20);
        let mut requests: Vec<_> = (0..count).map(|item| self.request(self.turn, item)).collect();
        requests[self.dice.below(count)].request_id.clear();
        requests.push(requests[self.dice.below(count)].clone());
        let sent = self.sent(&requests);
        let ids: Vec<String> = requests.iter().map(|request| request.request_id.clone()).collect();
        let mut answers =
            self.client.stream_authorize_payouts(tokio_stream::iter(requests)).await?;
        for (life, id) in sent.iter().zip(ids) {
            let Some(answer) = answers.message().await? else { return Err(No::Gone) };
            assert_eq!(answer.request_id, id, "answers come in the order of their requests");
            self.came(*life, answer.result)?;
        }
        let more = answers.message().await?;
        assert_eq!(more, None, "an answer that nobody asked for");
        self.live_all(sent).await
    }

    /// Notes that requests are sent. `None`: one is malformed.
    fn sent(&self, requests: &[AuthorizePayoutRequest]) -> Vec<Option<usize>> {
        let note = |request: &AuthorizePayoutRequest| {
            let is_sound = !request.request_id.is_empty();
            is_sound.then(|| self.notes.book().asked(request.clone()))
        };
        requests.iter().map(note).collect()
    }

    /// Notes what came of one of many.
    fn came(&self, life: Option<usize>, result: Option<Outcome>) -> Result<(), No> {
        match (life, result) {
            (Some(life), Some(Outcome::Receipt(receipt))) => {
                let mark = self.notes.mark();
                self.notes.book().answered(life, mark, receipt);
                Ok(())
            }
            (None, Some(Outcome::Error(_))) => Ok(()),
            (_, Some(Outcome::Error(status))) if status.code == i32::from(Code::Unavailable) => {
                Err(No::Gone)
            }
            (_, other) => panic!("{other:?}"),
        }
    }

    /// Takes those that are new some way.
    async fn live_all(&mut self, sent: Vec<Option<usize>>) -> Result<(), No> {
        for life in sent.into_iter().flatten() {
            if !self.lives.contains(&life) {
                self.live(life).await?;
            }
        }
        Ok(())
    }

    async fn movement(&mut self) -> Result<(), No> {
        let reference = format!("m-{}-{}", self.label, self.turn);
        let fen = 1 + i64::try_from(self.dice.below(100_000)).expect("small");
        let request = credit(SHOPS[self.dice.below(SHOPS.len())], &reference, fen);
        let at = {
            let mut book = self.notes.book();
            book.moves.push(crate::book::Move { request: request.clone(), answer: None });
            book.moves.len() - 1
        };
        let answer = self.client.record_movement(request.clone()).await?;
        assert!(!answer.replayed);
        let mark = self.notes.mark();
        self.notes.book().moves[at].answer = Some(mark);
        if self.dice.percent(20) {
            assert!(self.other.record_movement(request).await?.replayed);
        }
        Ok(())
    }

    /// Takes a payout some way; brief ones it may let expire.
    async fn live(&mut self, life: usize) -> Result<(), No> {
        self.lives.push(life);
        let receipt = self.notes.book().lives[life].answer.clone();
        let Some((_, receipt)) = receipt.filter(|(_, r)| r.decision() == Decision::Allow) else {
            return Ok(());
        };
        let expires = receipt.expire_time.as_ref().zip(receipt.decide_time.as_ref());
        let is_brief = expires.is_some_and(|(end, start)| end.seconds - start.seconds < 60);
        if is_brief && self.dice.percent(60) {
            let when = Instant::now() + Duration::from_millis(BRIEF_SECONDS * 1000 + 20);
            self.later.push_back((when, life));
            return Ok(());
        }
        self.walk(life, &receipt).await
    }

    /// Some payouts are paid although they expired, or called off late.
    async fn come_back(&mut self) -> Result<(), No> {
        match self.later.pop_front() {
            Some((when, life)) if when <= Instant::now() => self.late(life).await,
            Some(later) => {
                self.later.push_front(later);
                self.one().await
            }
            None => self.one().await,
        }
    }
}
