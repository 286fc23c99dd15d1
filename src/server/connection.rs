//! Connections, as a service of many small answers writes to them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::{Connected, TcpConnectInfo, TcpIncoming};

/// Connections to a listener. Answers are sent at once: waiting for more to
/// send, as TCP does by itself, costs 40 ms where the other side waits too.
/// The server's builder sets this only on listeners of its own.
pub fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> {
    TcpIncoming::from(listener).with_nodelay(Some(true)).map(|stream| stream.map(Connection))
}

/// One that takes bytes from one place at a time. HTTP/2 then copies frames of up to
/// 1 KiB behind one another and sends all that are ready by one call of the system.
/// Where several places can be sent from, it copies none of 256 bytes and more, and
/// sends before each: receipts would go out one by one.
#[derive(Debug)]
pub struct Connection(TcpStream);

impl From<TcpStream> for Connection {
    fn from(stream: TcpStream) -> Self {
        Self(stream)
    }
}

impl Connection {
    fn stream(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.get_mut().0)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, buffer)
    }
}

/// That it is not for several places at a time is what it does not say.
impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.0.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_are_sent_without_waiting_for_more_and_together() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut connections = Box::pin(incoming(listener));
        let (calling, called) = tokio::join!(TcpStream::connect(address), async {
            connections.next().await.expect("somebody calls")
        });
        calling.expect("a connection");
        let called = called.expect("a connection");
        assert!(called.0.nodelay().expect("an option"));
        assert!(!called.is_write_vectored());
        assert!(called.connect_info().remote_addr().is_some());
    }
}
