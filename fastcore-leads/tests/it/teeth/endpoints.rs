//! A web server of fifty lines, sound and broken: what any adapter could get wrong.

use bytes::Bytes;
use fastcore_leads::{
    Endpoint, INBOUND_LEADS_PATH,
    testing::{
        BoxFuture,
        http::{self, Server},
    },
};
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    assert_failed_for,
    wire::{Head, Stalled, find, read_to, unchunked},
};

type Response = ::http::Response<Bytes>;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    LosesTheChallenge,
    LosesAllow,
    LosesTheReplayHeader,
    LosesRetryAfter,
    AsksForTheBodyFirst,
    AnswersInPlainJson,
    TurnsConflictInto500,
    EchoesTheRequest,
    TakesEveryPath,
    LosesNoStore,
}

/// The sound one passes every case: a third framework over `Endpoint::handle`.
mod sound {
    fastcore_leads::http_conformance!(super::sound_server);
}

fn sound_server(endpoint: Endpoint) -> BoxFuture<Server> {
    serve(endpoint, Fault::None)
}

macro_rules! bites {
    ($($name:ident: $fault:ident, $case:ident, $reason:literal;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let result = tokio::spawn(http::$case(|endpoint| serve(endpoint, Fault::$fault))).await;
                assert_failed_for(result, $reason);
            }
        )*
    };
}

bites! {
    a_lost_challenge: LosesTheChallenge, a_missing_authorization_is_401, "Bearer realm";
    a_lost_allow: LosesAllow, methods_other_than_post_are_405, "POST";
    a_lost_replay_header: LosesTheReplayHeader, a_retry_gets_the_original_answer, "Some(\"true\")";
    a_lost_retry_after: LosesRetryAfter, an_unavailable_store_is_503, "retry-after";
    the_body_before_the_token: AsksForTheBodyFirst, the_token_is_asked_for_before_the_body, "100";
    plain_json_for_a_problem: AnswersInPlainJson, missing_members_are_422, "application/problem+json";
    a_status_of_its_own: TurnsConflictInto500, each_problem_can_be_reached, "500";
    an_echo: EchoesTheRequest, no_answer_holds_a_value, "CANARY";
    every_path: TakesEveryPath, other_paths_are_the_hosts, "404";
    a_cacheable_answer: LosesNoStore, a_valid_lead_is_created, "no-store";
}

fn serve(endpoint: Endpoint, fault: Fault) -> BoxFuture<Server> {
    Box::pin(Server::spawn(move |listener: TcpListener| async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, endpoint.clone(), fault));
        }
    }))
}

/// Answers one request; `None` where the client went away half-way.
async fn answer(mut stream: TcpStream, endpoint: Endpoint, fault: Fault) -> Option<()> {
    let Head { request, path, mut body, length, is_chunked, is_waiting } = Head::read(&mut stream).await?;
    if is_waiting && fault == Fault::AsksForTheBodyFirst {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    let is_ours = path == INBOUND_LEADS_PATH || fault == Fault::TakesEveryPath;
    let mut late = None;
    // One that waits to be asked for its body is answered from the head alone.
    if is_chunked {
        while find(&body, b"0\r\n\r\n").is_none() {
            if stream.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        body = unchunked(&body)?;
    } else if !is_waiting {
        // The endpoint has a limit to how long it waits for the rest.
        tokio::select! {
            biased;
            whole = read_to(&mut stream, &mut body, length) => whole?,
            answer = endpoint.handle(request.clone().map(|()| Stalled)), if is_ours => late = Some(answer),
        }
    }
    let echo = body.clone();
    let response = if let Some(answer) = late {
        answer
    } else if is_ours {
        endpoint.handle(request.map(|()| Full::new(Bytes::from(body)))).await
    } else {
        ::http::Response::builder().status(404).body(Bytes::new()).ok()?
    };
    let response = broken(response, fault, &echo);
    let mut text = format!("HTTP/1.1 {} x\r\n", response.status().as_u16());
    for (name, value) in response.headers().iter().filter(|(name, _)| name.as_str() != "content-length") {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().ok()?));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n", response.body().len()));
    stream.write_all(&[text.as_bytes(), response.body()].concat()).await.ok()
}

fn broken(mut response: Response, fault: Fault, echo: &[u8]) -> Response {
    let headers = response.headers_mut();
    match fault {
        Fault::LosesTheChallenge => drop(headers.remove("www-authenticate")),
        Fault::LosesAllow => drop(headers.remove("allow")),
        Fault::LosesTheReplayHeader => drop(headers.remove("idempotency-replayed")),
        Fault::LosesRetryAfter => drop(headers.remove("retry-after")),
        Fault::LosesNoStore => drop(headers.remove("cache-control")),
        Fault::AnswersInPlainJson => drop(headers.insert("content-type", "application/json".parse().unwrap())),
        Fault::TurnsConflictInto500 if response.status() == 409 => *response.status_mut() = 500.try_into().unwrap(),
        Fault::EchoesTheRequest => *response.body_mut() = Bytes::copy_from_slice(echo),
        _ => {}
    }
    response
}
