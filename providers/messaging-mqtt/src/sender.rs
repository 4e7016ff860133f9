//! The way out: one connection for everything that is sent, and the inbox to which answers come.
//!
//! A connection is never mended: when it breaks, what waits on it fails, and a new one is made. So nothing is sent twice by
//! itself, and whoever sent something knows that it may not have arrived.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use messaging::subject::{self, INBOX};
use messaging::{Broker, Failure, Message};
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, PublishProperties};
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use wicker_process::Tasks;
use wicker_provider::ProviderError;
use wicker_provider::lattice::id::CallId;

use crate::access::{Access, Broken, Pauses};
use crate::{letter, topic};

/// Messages that wait to be sent; who sends more waits.
const QUEUE: usize = 256;

/// How long a call waits for a connection that is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the broker may take to acknowledge a message. With [`PATIENCE`] shorter than most calls' deadlines.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// The connection that is there just now, and what is known about it.
#[derive(Debug)]
pub(crate) struct Connection {
    access: Arc<Access>,
    commands: mpsc::Sender<Send>,
    state: watch::Receiver<State>,
    inbox: String,
    answers: Mutex<HashMap<String, oneshot::Sender<Message>>>,
}

type State = Result<(), Option<Broken>>;

/// A message on its way out.
struct Send {
    topic: String,
    body: bytes::Bytes,
    properties: PublishProperties,
    acked: oneshot::Sender<Result<PubAckReason, Broken>>,
}

/// Who waits for an acknowledgement: in the order of sending, then by packet.
#[derive(Default)]
struct Waiting {
    queued: VecDeque<oneshot::Sender<Result<PubAckReason, Broken>>>,
    sent: HashMap<u16, oneshot::Sender<Result<PubAckReason, Broken>>>,
}

impl Connection {
    /// Connects, and stays connected from then on until the tasks are asked to stop.
    ///
    /// # Errors
    /// The broker cannot be reached, or does not let this client in.
    pub(crate) async fn open(
        access: Arc<Access>,
        tasks: &Tasks,
    ) -> Result<Arc<Self>, ProviderError> {
        let (commands, queue) = mpsc::channel(QUEUE);
        let (told, state) = watch::channel(Err(None));
        let inbox = format!("{INBOX}.{}", CallId::generate());
        let connection =
            Arc::new(Self { access, commands, state, inbox, answers: Mutex::default() });
        let first = Session::begin(&connection).await?;
        _ = told.send_replace(Ok(()));
        let run = run(Arc::clone(&connection), first, (queue, told), tasks.clone());
        tasks.spawn("connection", run);
        Ok(connection)
    }

    pub(crate) fn health(&self) -> Result<(), ProviderError> {
        match &*self.state.borrow() {
            Ok(()) | Err(None) => Ok(()),
            Err(Some(broken)) => Err(broken.clone().into()),
        }
    }

    /// Sends a message and waits until the broker has it; what the broker said of it.
    pub(crate) async fn send(&self, message: Message) -> Result<PubAckReason, Failure> {
        let properties = letter::properties(&message, &CallId::generate().to_string())?;
        self.is_connected().await?;
        let (acked, ack) = oneshot::channel();
        let send = Send {
            topic: topic::from_subject(&message.subject),
            body: message.body,
            properties,
            acked,
        };
        let lost = |why: &dyn std::fmt::Display| {
            Failure::Other(format!("the broker has not said that it has the message: {why}"))
        };
        if self.commands.send(send).await.is_err() {
            return Err(lost(&"the provider stops"));
        }
        match timeout(ACK_TIMEOUT, ack).await {
            Ok(Ok(Ok(reason))) => said(reason, &message.subject),
            Ok(Ok(Err(broken))) => Err(lost(&broken)),
            Ok(Err(_)) => Err(lost(&"the connection broke")),
            Err(_) => Err(lost(&"it is silent")),
        }
    }

    /// Waits a little for a connection that is away.
    async fn is_connected(&self) -> Result<(), Failure> {
        let mut state = self.state.clone();
        let waited = timeout(PATIENCE, state.wait_for(Result::is_ok)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Failure::Other("the provider stops".to_owned())),
            Err(_) => {
                let why = match &*self.state.borrow() {
                    Err(Some(broken)) => broken.to_string(),
                    _ => "no connection to the broker".to_owned(),
                };
                Err(Failure::Other(format!("nothing was sent: {why}")))
            }
        }
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Message>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an acknowledgement means.
fn said(reason: PubAckReason, subject: &str) -> Result<PubAckReason, Failure> {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(reason),
        PubAckReason::NotAuthorized => {
            Err(Failure::Denied(format!("the broker does not allow `{subject}`")))
        }
        PubAckReason::TopicNameInvalid | PubAckReason::PayloadFormatInvalid => {
            Err(Failure::Invalid(format!("the broker does not understand `{subject}`")))
        }
        reason => Err(Failure::Other(format!("the broker has not taken the message: {reason:?}"))),
    }
}

/// One connection, from its beginning to its end.
struct Session {
    client: AsyncClient,
    events: EventLoop,
}

impl Session {
    /// Connects, and subscribes to the inbox.
    async fn begin(connection: &Connection) -> Result<Self, Broken> {
        let access = &connection.access;
        let options = access.options(&format!("{}-{}", access.name(), CallId::generate()));
        let (client, mut events) = AsyncClient::new(options, QUEUE);
        let inbox = topic::from_subject(&format!("{}.*", connection.inbox));
        let gone = |_| Broken::Away("it closed at once".to_owned());
        client.subscribe(inbox, QoS::AtLeastOnce).await.map_err(gone)?;
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::SubAck(_))) => return Ok(Self { client, events }),
                Ok(_) => {}
                Err(error) => return Err(Broken::from(&error)),
            }
        }
    }

    /// Sends what is to be sent and takes what comes, until it breaks or nobody sends any more.
    async fn serve(self, connection: &Connection, queue: &mut mpsc::Receiver<Send>) -> Broken {
        let Self { client, mut events } = self;
        let waiting = Mutex::new(Waiting::default());
        let broken = tokio::select! {
            // Neither is begun again after this: what is half-way in one of them breaks with the connection.
            broken = pump(connection, &mut events, &waiting) => broken,
            broken = pass_on(queue, &client, &waiting) => broken,
        };
        let mut waiting = waiting.into_inner().unwrap_or_else(PoisonError::into_inner);
        let all = waiting.queued.drain(..).chain(waiting.sent.drain().map(|(_, each)| each));
        for each in all {
            _ = each.send(Err(broken.clone()));
        }
        broken
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands messages to the client, in the order in which their senders wait.
async fn pass_on(
    queue: &mut mpsc::Receiver<Send>,
    client: &AsyncClient,
    waiting: &Mutex<Waiting>,
) -> Broken {
    while let Some(Send { topic, body, properties, acked }) = queue.recv().await {
        lock(waiting).queued.push_back(acked);
        let sent =
            client.publish_with_properties(topic, QoS::AtLeastOnce, false, body, properties).await;
        if sent.is_err() {
            return Broken::Away("it closed".to_owned());
        }
    }
    Broken::Away("the provider stops".to_owned())
}

async fn pump(connection: &Connection, events: &mut EventLoop, waiting: &Mutex<Waiting>) -> Broken {
    loop {
        match events.poll().await {
            Ok(Event::Outgoing(Outgoing::Publish(packet))) => {
                let mut waiting = lock(waiting);
                if let Some(acked) = waiting.queued.pop_front() {
                    waiting.sent.insert(packet, acked);
                }
            }
            Ok(Event::Incoming(Packet::PubAck(ack))) => {
                let waits = lock(waiting).sent.remove(&ack.pkid);
                if let Some(acked) = waits {
                    _ = acked.send(Ok(ack.reason));
                }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let (message, _) = letter::received(&publish);
                let waits = connection.answers().remove(&message.subject);
                if let Some(asked) = waits {
                    _ = asked.send(message);
                }
            }
            Ok(_) => {}
            Err(error) => return Broken::from(&error),
        }
    }
}

/// Tells those who came too late for a connection that nothing was sent.
fn refuse(queue: &mut mpsc::Receiver<Send>, broken: Option<Broken>) {
    let broken = broken.unwrap_or_else(|| Broken::Away("it had broken".to_owned()));
    while let Ok(Send { acked, .. }) = queue.try_recv() {
        _ = acked.send(Err(broken.clone()));
    }
}

async fn run(
    connection: Arc<Connection>,
    first: Session,
    (mut queue, told): (mpsc::Receiver<Send>, watch::Sender<State>),
    tasks: Tasks,
) -> Result<(), Infallible> {
    let mut session = Some(first);
    let mut pauses = Pauses::default();
    loop {
        let next = async {
            let session = match session.take() {
                Some(session) => session,
                None => Session::begin(&connection).await?,
            };
            refuse(&mut queue, None);
            _ = told.send_replace(Ok(()));
            pauses = Pauses::default();
            Err::<Infallible, Broken>(session.serve(&connection, &mut queue).await)
        };
        let Err(broken) = tokio::select! {
            // Not cancel-safe: what is under way breaks off, as it does when the process ends.
            () = tasks.stopping() => return Ok(()),
            broken = next => broken,
        };
        tracing::warn!("{broken}; it is tried again");
        _ = told.send_replace(Err(Some(broken.clone())));
        refuse(&mut queue, Some(broken));
        tokio::select! {
            // Cancel-safe, both.
            () = tasks.stopping() => return Ok(()),
            () = sleep(pauses.next()) => {}
        }
    }
}

/// One link of a component that sends.
#[derive(Debug)]
pub struct Sender {
    connection: Arc<Connection>,
    allowed: Vec<String>,
}

impl Sender {
    pub(crate) fn new(connection: Arc<Connection>, allowed: Vec<String>) -> Self {
        Self { connection, allowed }
    }

    fn check(&self, message: &Message) -> Result<(), Failure> {
        subject::check(&message.subject)?;
        subject::check_allowed(&message.subject, &self.allowed)?;
        let limit = self.connection.access.message_bytes_max();
        let headers: usize =
            message.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if message.body.len() + headers > limit {
            return Err(Failure::TooLarge(limit as u64));
        }
        Ok(())
    }
}

impl Broker for Sender {
    async fn publish(&self, message: Message) -> Result<(), Failure> {
        self.check(&message)?;
        self.connection.send(message).await.map(drop)
    }

    async fn request(&self, message: Message, patience: Duration) -> Result<Message, Failure> {
        self.check(&message)?;
        let (asked, answer) = oneshot::channel();
        let inbox = format!("{}.{}", self.connection.inbox, CallId::generate());
        self.connection.answers().insert(inbox.clone(), asked);
        let ask = async {
            let message = Message { reply_to: Some(inbox.clone()), ..message };
            match self.connection.send(message).await? {
                PubAckReason::NoMatchingSubscribers => Err(Failure::NobodyListens),
                _ => answer.await.map_err(|_| Failure::Timeout),
            }
        };
        let outcome = timeout(patience, ask).await.unwrap_or(Err(Failure::Timeout));
        self.connection.answers().remove(&inbox);
        outcome
    }
}
