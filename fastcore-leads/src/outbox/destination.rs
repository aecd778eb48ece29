use std::time::Duration;

use super::{CheckpointDelivery, Message, Schedule, Settled, Subscription, Webhook, mail::StaffMail};

/// How many requests may be under way to one destination.
const IN_FLIGHT: u32 = 32;

/// How long is waited at most before a checkpoint is tried again: there is no queue that would have to be let in slowly.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long a destination is left alone between two checkpoints.
const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(60);

/// Somebody who is told of events: what of, by which way, and how often it is tried.
#[derive(Clone, Debug)]
pub struct Destination {
    subscription: Subscription,
    channel: Channel,
    schedule: Schedule,
    in_flight: u32,
    /// Of one that is told of checkpoints alone: how long it is left alone between two.
    between_checkpoints: Option<Duration>,
}

/// By which way.
#[derive(Clone, Debug)]
pub(super) enum Channel {
    Webhook(Webhook),
    Mail(StaffMail),
}

/// How many events a mail tells of at most.
const MAIL_EVENTS: u32 = 50;

impl Destination {
    /// Staff who get mail.
    pub fn mail(subscription: Subscription, mail: StaffMail) -> Self {
        Self::new(subscription, Channel::Mail(mail), MAIL_EVENTS)
    }

    /// A receiver of signed requests.
    pub fn webhook(subscription: Subscription, webhook: Webhook) -> Self {
        Self::new(subscription, Channel::Webhook(webhook), IN_FLIGHT)
    }

    /// A receiver of checkpoints of the audit log, by signed requests of the type [`AUDIT_CHECKPOINT`](super::AUDIT_CHECKPOINT), so
    /// that somebody outside keeps what the log has to extend. It is told of no lead. Each time it is sent the last checkpoint, once a
    /// minute at most. Where that does not arrive, the last one is tried again as the [schedule](Self::schedule) has it, every 15 minutes
    /// at least, and without end. A name that had another kind of destination is to be forgotten first.
    pub fn checkpoints(name: impl Into<String>, webhook: Webhook) -> Self {
        let subscription = Subscription { destination: name.into(), ..Subscription::default() };
        let between_checkpoints = Some(BETWEEN_CHECKPOINTS);
        Self { between_checkpoints, ..Self::new(subscription, Channel::Webhook(webhook), 1) }
    }

    fn new(subscription: Subscription, channel: Channel, in_flight: u32) -> Self {
        Self { subscription, channel, schedule: Schedule::default(), in_flight, between_checkpoints: None }
    }

    /// How often it is sent a checkpoint at most. Default: once a minute. Of no effect on one that is told of leads.
    pub fn at_most_every(self, pause: Duration) -> Self {
        Self { between_checkpoints: self.between_checkpoints.map(|_| pause), ..self }
    }

    /// How often it is tried. Default: for about three days.
    pub fn schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// How many requests may be under way at once, at least 1: default 32. Of mail, how many events one tells of at most:
    /// default 50.
    pub fn in_flight(self, in_flight: u32) -> Self {
        Self { in_flight: in_flight.max(1), ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.subscription.destination
    }

    /// What it is told of.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Whether it is told of checkpoints, and of no lead.
    pub fn is_of_checkpoints(&self) -> bool {
        self.between_checkpoints.is_some()
    }

    pub(super) fn between_checkpoints(&self) -> Duration {
        self.between_checkpoints.unwrap_or(BETWEEN_CHECKPOINTS)
    }

    pub(super) fn slots(&self) -> u32 {
        self.in_flight
    }

    /// How long one attempt may take.
    pub(super) fn answers_within(&self) -> Duration {
        match &self.channel {
            Channel::Webhook(webhook) => webhook.answers_within(),
            Channel::Mail(_) => StaffMail::answers_within(),
        }
    }

    /// How long it is left alone after something was claimed for it.
    pub(super) fn pause(&self) -> Duration {
        match &self.channel {
            Channel::Webhook(_) => Duration::ZERO,
            Channel::Mail(mail) => mail.pause(),
        }
    }

    /// Whether many events go out as one.
    pub(super) fn gathers(&self) -> bool {
        matches!(self.channel, Channel::Mail(_))
    }

    /// Sends a message, of whatever it is told otherwise. For trying out a destination as well.
    pub async fn send(&self, message: &Message) -> Attempt {
        match &self.channel {
            Channel::Webhook(webhook) => webhook.send(message).await,
            Channel::Mail(mail) => mail.send(std::slice::from_ref(message)).await,
        }
    }

    /// Sends a checkpoint. For trying out a destination as well.
    pub async fn send_checkpoint(&self, delivery: &CheckpointDelivery) -> Attempt {
        match &self.channel {
            Channel::Webhook(webhook) => webhook.send_checkpoint(delivery).await,
            Channel::Mail(_) => Attempt::failed(None),
        }
    }

    /// Sends messages that go out together: of a destination that [gathers](Self::gathers), all in one.
    pub(super) async fn send_all(&self, messages: &[Message]) -> Attempt {
        match (&self.channel, messages) {
            (Channel::Mail(mail), _) => mail.send(messages).await,
            (Channel::Webhook(webhook), [message]) => webhook.send(message).await,
            (Channel::Webhook(_), _) => Attempt::failed(None),
        }
    }

    /// What follows from an attempt to send a checkpoint: none is given up, since the next one says more.
    pub(super) fn verdict_on_checkpoint(&self, attempt: &Attempt, number: u32) -> Settled {
        match self.verdict(attempt, number) {
            Settled::Delivered | Settled::Skipped => Settled::Delivered,
            Settled::Retry(pause) => Settled::Retry(pause.min(LONGEST.max(attempt.not_before))),
            Settled::Dead => {
                Settled::Retry(self.schedule.last().unwrap_or(LONGEST).min(LONGEST).max(attempt.not_before))
            }
        }
    }

    /// What follows from an attempt.
    pub(super) fn verdict(&self, attempt: &Attempt, number: u32) -> Settled {
        match attempt.outcome {
            AttemptOutcome::Delivered => Settled::Delivered,
            // Its turn comes again once an operator has looked at the destination, which is paused.
            AttemptOutcome::Gone => Settled::Retry(Duration::ZERO),
            AttemptOutcome::Failed => match self.schedule.after(number) {
                Some(pause) => Settled::Retry(pause.max(attempt.not_before)),
                None => Settled::Dead,
            },
        }
    }
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// What was answered: an HTTP status or an SMTP reply code. None where no answer came in time.
    pub status: Option<u16>,
    /// How long the receiver asked to be left alone.
    pub not_before: Duration,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It arrived.
    Delivered,
    /// The receiver wants nothing any more.
    Gone,
    /// It is to be tried again.
    Failed,
}

impl Attempt {
    pub(super) fn delivered(status: Option<u16>) -> Self {
        Self { outcome: AttemptOutcome::Delivered, status, not_before: Duration::ZERO }
    }

    pub(super) fn gone(status: Option<u16>) -> Self {
        Self { outcome: AttemptOutcome::Gone, ..Self::delivered(status) }
    }

    pub(super) fn failed(status: Option<u16>) -> Self {
        Self { outcome: AttemptOutcome::Failed, ..Self::delivered(status) }
    }
}
