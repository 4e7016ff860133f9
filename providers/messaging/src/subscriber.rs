//! The component behind a subscription, whichever handler it exports.

use wicker_provider::lattice::call::{CallError, Class};
use wicker_provider::lattice::store::record::{Link, Scope};
use wicker_provider::{Client, ProviderError};

use crate::broker::Message;
use crate::{wasmcloud, wicker};

/// Calls the handler of a subscription's target.
#[derive(Debug, Clone)]
pub struct Subscriber(Handler);

#[derive(Debug, Clone)]
enum Handler {
    Wasmcloud(wasmcloud::handler::Client),
    Wicker(wicker::handler::Client),
}

/// One delivery of a message.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What came in.
    pub message: Message,
    /// Which delivery of it this is, from 1.
    pub count: u32,
    /// The same for every delivery of one message, where there may be several.
    pub id: Option<String>,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The handler said ok.
    Handled,
    /// The handler said no, or failed half-way, or may have: why, for people.
    Failed(String),
    /// No handler was called: nobody is there, or whoever is there is full. Why, for people.
    NotCalled(String),
}

impl Subscriber {
    /// The handler that `link` leads to by way of `client`.
    ///
    /// # Errors
    /// [`ProviderError::Config`]: the link is for none of the interfaces that messages are delivered through.
    pub fn new(link: &Link, client: Client) -> Result<Self, ProviderError> {
        let package = match &link.scope {
            Scope::Interface(interface) => interface.package(),
            Scope::Package(package) => package.clone(),
        };
        let is = |name: wicker_provider::lattice::interface::InterfaceName| {
            name.key().package() == package
        };
        if is(wasmcloud::handler::name()) {
            return Ok(Self(Handler::Wasmcloud(wasmcloud::handler::Client::new(client))));
        }
        if is(wicker::handler::name()) {
            return Ok(Self(Handler::Wicker(wicker::handler::Client::new(client))));
        }
        let message = format!("messages are not delivered through {}", link.scope.as_str());
        Err(ProviderError::config(message))
    }

    /// Delivers one message and waits for what the handler says, at most the link's timeout.
    pub async fn deliver(&self, delivery: Delivery) -> Outcome {
        let Delivery { message, count, id } = delivery;
        let answer = match &self.0 {
            Handler::Wasmcloud(client) => client.handle_message(message.into()).await,
            Handler::Wicker(client) => {
                let message = message.into();
                client.handle(wicker::handler::Delivery { message, count, id }).await
            }
        };
        match answer {
            Ok(Ok(())) => Outcome::Handled,
            Ok(Err(refusal)) => Outcome::Failed(refusal),
            Err(error) => Outcome::of(&error),
        }
    }
}

impl Outcome {
    fn of(error: &CallError) -> Self {
        match error.class() {
            Class::NotExecuted => Self::NotCalled(error.to_string()),
            Class::MaybeExecuted | Class::Executed => Self::Failed(error.to_string()),
        }
    }
}
