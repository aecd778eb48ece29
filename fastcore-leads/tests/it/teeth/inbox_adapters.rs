//! A web server of fifty lines that mounts the inbox, sound and broken: what any adapter could get wrong.

use bytes::Bytes;
use fastcore_leads::{
    InboxEndpoint,
    testing::{
        BoxFuture,
        http::{self, Server},
    },
};
use http_body_util::{BodyExt, Full};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::{
    assert_failed_for,
    wire::{Head, Stalled, read_to},
};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    LosesTheQuery,
    TakesDeleteForPost,
    EndsWhatBreaksOff,
    LosesTheDisposition,
    LosesNoStore,
    LosesAllow,
    TakesEveryPath,
    TakesNoPathBelow,
    TurnsConflictInto500,
}

/// The sound one passes every case: a third framework over `InboxEndpoint::handle`.
mod sound {
    fastcore_leads::inbox_http_conformance!(super::sound_server);
}

fn sound_server(endpoint: InboxEndpoint) -> BoxFuture<Server> {
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
    a_lost_query: LosesTheQuery, a_list_is_handed_out_page_by_page, "leads.len() <= limit";
    another_method: TakesDeleteForPost, an_erasure_may_be_asked_for_twice, "405";
    a_file_that_seems_whole: EndsWhatBreaksOff, a_file_that_breaks_off_is_not_taken_for_whole, "it is not whole";
    a_file_without_a_name: LosesTheDisposition, leads_are_handed_out_as_files, "attachment";
    a_cacheable_answer: LosesNoStore, an_erasure_may_be_asked_for_twice, "no-store";
    a_lost_allow: LosesAllow, each_problem_of_the_inbox_can_be_reached, "GET";
    every_path: TakesEveryPath, other_paths_of_the_inbox_are_the_hosts, "problem+json";
    a_path_that_is_not_mounted: TakesNoPathBelow, a_lead_is_worked_in_the_bearers_name, "the body is JSON";
    a_status_of_its_own: TurnsConflictInto500, notes_and_whose_a_lead_is, "500";
}

fn serve(endpoint: InboxEndpoint, fault: Fault) -> BoxFuture<Server> {
    Box::pin(Server::spawn(move |listener: TcpListener| async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, endpoint.clone(), fault));
        }
    }))
}

/// Answers one request; `None` where the client went away half-way, or the answer broke off.
async fn answer(mut stream: TcpStream, endpoint: InboxEndpoint, fault: Fault) -> Option<()> {
    let Head { mut request, path, mut body, length, .. } = Head::read(&mut stream).await?;
    let is_below = path.starts_with("/inbound/leads/") && path.matches('/').count() > 3;
    let is_ours = InboxEndpoint::serves(&path) && !(fault == Fault::TakesNoPathBelow && is_below);
    if !is_ours && fault != Fault::TakesEveryPath {
        return stream.write_all(b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n").await.ok();
    }
    if fault == Fault::LosesTheQuery {
        *request.uri_mut() = path.parse().ok()?;
    }
    if fault == Fault::TakesDeleteForPost && request.method() == "DELETE" {
        *request.method_mut() = ::http::Method::POST;
    }
    // The endpoint has a limit to how long it waits for the rest.
    let late = tokio::select! {
        biased;
        whole = read_to(&mut stream, &mut body, length) => { whole?; None }
        answer = endpoint.handle(request.clone().map(|()| Stalled)) => Some(answer),
    };
    let response = match late {
        Some(answer) => answer,
        None => endpoint.handle(request.map(|()| Full::new(Bytes::from(body)))).await,
    };
    let (mut head, mut body) = response.into_parts();
    match fault {
        Fault::LosesTheDisposition => drop(head.headers.remove("content-disposition")),
        Fault::LosesNoStore => drop(head.headers.remove("cache-control")),
        Fault::LosesAllow => drop(head.headers.remove("allow")),
        Fault::TurnsConflictInto500 if head.status == 409 => head.status = ::http::StatusCode::INTERNAL_SERVER_ERROR,
        _ => {}
    }
    let mut text = format!("HTTP/1.1 {} x\r\n", head.status.as_u16());
    for (name, value) in head.headers.iter().filter(|(name, _)| name.as_str() != "content-length") {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().ok()?));
    }
    let is_empty = head.status == 204;
    text.push_str(if is_empty { "\r\n" } else { "transfer-encoding: chunked\r\n\r\n" });
    stream.write_all(text.as_bytes()).await.ok()?;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            if fault == Fault::EndsWhatBreaksOff {
                break;
            }
            return None;
        };
        let data = frame.into_data().ok()?;
        if !data.is_empty() {
            let chunk = [format!("{:x}\r\n", data.len()).as_bytes(), &data, b"\r\n"].concat();
            stream.write_all(&chunk).await.ok()?;
        }
    }
    if is_empty { Some(()) } else { stream.write_all(b"0\r\n\r\n").await.ok() }
}
