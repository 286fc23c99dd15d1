//! The ways that clients take payouts through their lives.

use bursar::proto::v1::{
    CancelPayoutRequest, ExecutePayoutRequest, Payout, Receipt, ReturnPayoutRequest,
    SettlePayoutRequest, settlement,
};
use tonic::Status;

use crate::{
    book::Step,
    client::No,
    load::Hand,
    trial::{fen, money},
};

fn execute(name: &str) -> ExecutePayoutRequest {
    ExecutePayoutRequest {
        name: name.to_owned(),
        execution_id: "x1".to_owned(),
        ..Default::default()
    }
}

/// The channel's report: what the payee got, or that it failed.
fn settle(name: &str, paid: Option<i64>, reference: &str) -> SettlePayoutRequest {
    let result =
        if paid.is_some() { settlement::Result::Succeeded } else { settlement::Result::Failed };
    SettlePayoutRequest {
        name: name.to_owned(),
        result: result.into(),
        amount: paid.and_then(money),
        channel_reference: reference.to_owned(),
        ..Default::default()
    }
}

impl Hand {
    pub async fn walk(&mut self, life: usize, receipt: &Receipt) -> Result<(), No> {
        let name = receipt.payout.as_str();
        let whole = fen(receipt.amount.as_ref());
        let way = self.dice.below(12);
        match way {
            0 | 1 => return Ok(()),
            2 | 3 => self.cancel(life, name).await?,
            4 => return self.settle(life, settle(name, Some(whole), "unexecuted")).await,
            _ => self.execute(life, name).await?,
        }
        match way {
            // Called off, and paid all the same.
            3 => self.settle(life, settle(name, Some(whole), "late")).await,
            6 => self.settle(life, settle(name, None, "c1")).await,
            7 => {
                self.settle(life, settle(name, None, "c1")).await?;
                self.settle(life, settle(name, Some(whole), "c1")).await
            }
            8 => self.settle(life, settle(name, Some(whole - whole / 3), "c1")).await,
            9 | 10 => {
                self.settle(life, settle(name, Some(whole), "c1")).await?;
                let part = if way == 9 { whole } else { 1 + whole / 2 };
                self.give_back(life, name, part).await?;
                // Said again, which changes nothing.
                self.settle(life, settle(name, Some(whole), "c1")).await
            }
            11 => self.settle(life, settle(name, Some(whole), "c1")).await,
            _ => Ok(()),
        }
    }

    /// After its hold expired: it is left alone, or paid all the same.
    pub async fn late(&mut self, life: usize) -> Result<(), No> {
        let receipt = self.notes.book().lives[life].answer.clone();
        let Some((_, receipt)) = receipt else { return Ok(()) };
        if self.dice.percent(50) {
            return Ok(());
        }
        self.execute(life, &receipt.payout).await?;
        let whole = fen(receipt.amount.as_ref());
        self.settle(life, settle(&receipt.payout, Some(whole), "late")).await
    }

    async fn execute(&mut self, life: usize, name: &str) -> Result<(), No> {
        let client = self.client.clone();
        self.step(life, client.execute_payout(execute(name))).await
    }

    async fn cancel(&mut self, life: usize, name: &str) -> Result<(), No> {
        let client = self.client.clone();
        let request = CancelPayoutRequest { name: name.to_owned(), ..Default::default() };
        self.step(life, client.cancel_payout(request)).await
    }

    async fn settle(&mut self, life: usize, request: SettlePayoutRequest) -> Result<(), No> {
        let client = self.client.clone();
        self.step(life, client.settle_payout(request)).await
    }

    async fn give_back(&mut self, life: usize, name: &str, fen: i64) -> Result<(), No> {
        let client = self.client.clone();
        let request = ReturnPayoutRequest {
            name: name.to_owned(),
            amount: money(fen),
            channel_reference: "b1".to_owned(),
            ..Default::default()
        };
        self.step(life, client.return_payout(request)).await
    }

    /// Notes a call before it is sent, and its answer.
    async fn step(
        &mut self,
        life: usize,
        call: impl Future<Output = Result<Payout, Status>>,
    ) -> Result<(), No> {
        let at = {
            let steps = &mut self.notes.book().lives[life].steps;
            steps.push(Step::default());
            steps.len() - 1
        };
        match call.await.map_err(No::from) {
            Ok(payout) => {
                let mark = self.notes.mark();
                self.notes.book().lives[life].steps[at].answer = Some((mark, payout));
                Ok(())
            }
            Err(No::Refused(_)) => {
                self.notes.book().lives[life].steps.remove(at);
                Ok(())
            }
            Err(No::Gone) => Err(No::Gone),
        }
    }
}
