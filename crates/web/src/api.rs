//! The routes, and the OpenAPI description made from them.

use crate::app::{App, Command};
use crate::guard;
use crate::live::{Message, Place, Subscription};
use crate::metrics::{self, Metrics};
use crate::problem::Problem;
use crate::records::{CallDetail, CallSummary, TicketView};
use crate::server::now;
use crate::site;
use crate::view::{Beat, Delta, Snapshot};
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use domain::{
    AgentId, CallId, Duty, Override, PauseReason, PoolId, RegionId, Supervision, TalkWish, TargetId,
    Timestamp,
};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};
use tower_http::compression::CompressionLayer;
use utoipa::{IntoParams, OpenApi, ToSchema};

/// Of a request's body: no route takes more than a few words.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Rows of a list when the client does not say.
const LIST_ROWS: u32 = 100;
/// The longest pause that ends by itself, and the longest that a wrap-up is put off at once.
const PAUSE_S_MAX: u32 = 24 * 3_600;
const EXTENSION_S_MAX: u32 = 3_600;
/// The longest that a pool is open or closed by hand until a set time.
const OVERRIDE_S_MAX: u32 = 7 * 24 * 3_600;
/// A day.
const HEAD_START_S_MAX: u32 = 86_400;
/// An account's name.
const PHONE_BYTES_MAX: usize = 64;
/// Who asks, until there are logins.
const BOARD: &str = "board";
/// How long a browser waits before it reconnects.
const RECONNECT_AFTER: Duration = Duration::from_secs(2);

#[derive(OpenApi)]
#[openapi(
    info(title = "Hotline 12348", description = "The live board and the records of the hotline."),
    paths(
        live,
        board,
        calls,
        call,
        set_priority,
        set_supervision,
        tickets,
        ticket,
        set_duty,
        end_wrap_up,
        extend_wrap_up,
        wish_of_talk,
        override_pool,
        override_region,
        healthz
    ),
    components(schemas(Delta, Beat))
)]
struct ApiDoc;

/// The OpenAPI description of this API.
#[must_use]
pub fn openapi_json() -> String {
    let mut doc = ApiDoc::openapi();
    doc.info.version = env!("CARGO_PKG_VERSION").to_owned();
    doc.to_pretty_json().expect("the description has text keys and no fallible serializer")
}

pub(crate) fn router(app: App, metrics: Metrics) -> Router {
    let api = Router::new()
        .route("/openapi.json", get(openapi))
        .route("/live", get(live))
        .route("/board", get(board))
        .route("/calls", get(calls))
        .route("/calls/{id}", get(call))
        .route("/calls/{id}/priority", post(set_priority))
        .route("/calls/{id}/supervision", post(set_supervision))
        .route("/tickets", get(tickets))
        .route("/tickets/{number}", get(ticket))
        .route("/agents/{id}/duty", post(set_duty))
        .route("/agents/{id}/wrap-up-done", post(end_wrap_up))
        .route("/agents/{id}/wrap-up-extended", post(extend_wrap_up))
        .route("/agents/{id}/talk", post(wish_of_talk))
        .route("/pools/{id}/override", post(override_pool))
        .route("/regions/{id}/override", post(override_region))
        .with_state(app.clone());
    let metrics = Router::new().route("/metrics", get(metrics::show)).with_state((metrics, app.live.clone()));
    Router::new()
        .nest("/api", api)
        .merge(metrics)
        .route("/healthz", get(healthz).with_state(app))
        .fallback(site::serve_site)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(guard::limit_time))
        .layer(middleware::from_fn(guard::check_host))
        .layer(middleware::from_fn(guard::add_security_headers))
}

async fn openapi() -> impl IntoResponse {
    ([(axum::http::header::CONTENT_TYPE, "application/json")], openapi_json())
}

async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not take that method")
}

/// The live board as server-sent events: `snapshot`, then `delta`s whose `seq` is the event's id, and a
/// `beat` every five seconds. A client that reconnects with `Last-Event-ID` gets what it missed, or a new
/// snapshot.
#[utoipa::path(get, path = "/api/live", tag = "board",
    params(("Last-Event-ID" = Option<u64>, Header, description = "`seq` of the last event seen")),
    responses(
        (status = 200, body = Snapshot, content_type = "text/event-stream"),
        (status = 503, body = Problem, description = "too many clients")))]
async fn live(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let last_seq = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let subscription =
        app.live.subscribe(last_seq, now()).map_err(|full| Problem::unavailable(full.to_string()))?;
    Ok(Sse::new(events(subscription).map(Ok::<_, Infallible>)).into_response())
}

/// Everything the board shows now.
#[utoipa::path(get, path = "/api/board", tag = "board", responses((status = 200, body = Snapshot)))]
async fn board(State(app): State<App>) -> Json<Snapshot> {
    Json(app.live.snapshot(now()))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Page {
    /// Rows wanted: 100 unless told, at most 500.
    limit: Option<u32>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TicketPage {
    /// Rows wanted: 100 unless told, at most 500.
    limit: Option<u32>,
    /// Number of the last ticket already seen.
    before: Option<String>,
}

/// The last calls, newest first.
#[utoipa::path(get, path = "/api/calls", tag = "records", params(Page),
    responses((status = 200, body = [CallSummary]), (status = 400, body = Problem)))]
async fn calls(
    State(app): State<App>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Vec<CallSummary>>, Problem> {
    let Query(page) = page?;
    let calls = app.store.recent_calls(page.limit.unwrap_or(LIST_ROWS)).await?;
    Ok(Json(calls.into_iter().map(CallSummary::from).collect()))
}

/// A call with its legs, recordings and ticket.
#[utoipa::path(get, path = "/api/calls/{id}", tag = "records",
    params(("id" = String, Path, description = "Id of the call")),
    responses((status = 200, body = CallDetail), (status = 404, body = Problem)))]
async fn call(
    State(app): State<App>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<Json<CallDetail>, Problem> {
    let Path(id) = id?;
    let call = app.store.call(CallId(id)).await?.ok_or_else(|| Problem::not_found("call"))?;
    let ticket = app.store.ticket_of_call(CallId(id)).await?;
    Ok(Json(CallDetail::new(call, ticket)))
}

#[derive(Deserialize, ToSchema)]
struct PriorityRequest {
    /// Before all others.
    urgent: bool,
    /// As if the call had come so many seconds earlier; at most a day.
    #[serde(default)]
    #[schema(maximum = 86400)]
    head_start_s: u32,
}

/// Moves a waiting call in every line that it stands in. `{"urgent": false}` puts it back to where its arrival
/// and the dialplan place it.
#[utoipa::path(post, path = "/api/calls/{id}/priority", tag = "calls", request_body = PriorityRequest,
    params(("id" = String, Path, description = "Id of the call")),
    responses((status = 202, description = "The switch was told; the live feed shows when it is so"),
        (status = 404, body = Problem, description = "No such call waits"), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
async fn set_priority(
    State(app): State<App>,
    id: Result<Path<u64>, PathRejection>,
    body: Result<Json<PriorityRequest>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    let call = CallId(id);
    if !app.live.is_waiting(call) {
        return Err(Problem::not_found("waiting call"));
    }
    let Json(PriorityRequest { urgent, head_start_s }) = body?;
    if head_start_s > HEAD_START_S_MAX {
        let what = format!("head_start_s is at most {HEAD_START_S_MAX}");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what));
    }
    let head_start = Duration::from_secs(head_start_s.into());
    command(&app, Command::CallPrioritised { call, urgent, head_start, by: BOARD.to_owned() })
}

#[derive(Deserialize, ToSchema)]
struct SupervisionRequest {
    mode: RequestedSupervision,
    /// The account whose phone takes part; it is rung for it.
    #[schema(min_length = 1, max_length = 64)]
    phone: String,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RequestedSupervision {
    /// Hears all and is heard by nobody.
    Listen,
    /// Is heard by the lawyer only.
    Whisper,
    /// Is heard by all.
    Barge,
    /// Leaves.
    Off,
}

/// Lets a supervisor's phone take part in the talk of a call: it is rung, and on record from then on. One phone a call.
#[utoipa::path(post, path = "/api/calls/{id}/supervision", tag = "calls", request_body = SupervisionRequest,
    params(("id" = String, Path, description = "Id of the call")),
    responses((status = 202, description = "The switch was told; nothing happens where nobody talks or that phone is not there"),
        (status = 404, body = Problem, description = "No such call is under way"), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
async fn set_supervision(
    State(app): State<App>,
    id: Result<Path<u64>, PathRejection>,
    body: Result<Json<SupervisionRequest>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    let call = CallId(id);
    if !app.live.is_under_way(call) {
        return Err(Problem::not_found("call under way"));
    }
    let Json(SupervisionRequest { mode, phone }) = body?;
    if phone.is_empty() || phone.len() > PHONE_BYTES_MAX {
        return Err(unprocessable(format!("`phone` has 1 to {PHONE_BYTES_MAX} bytes")));
    }
    let mode = match mode {
        RequestedSupervision::Listen => Some(Supervision::Listen),
        RequestedSupervision::Whisper => Some(Supervision::Whisper),
        RequestedSupervision::Barge => Some(Supervision::Barge),
        RequestedSupervision::Off => None,
    };
    command(&app, Command::CallSupervised { call, user: phone, mode, by: BOARD.to_owned() })
}

/// Tickets, newest first.
#[utoipa::path(get, path = "/api/tickets", tag = "records", params(TicketPage),
    responses((status = 200, body = [TicketView]), (status = 400, body = Problem)))]
async fn tickets(
    State(app): State<App>,
    page: Result<Query<TicketPage>, QueryRejection>,
) -> Result<Json<Vec<TicketView>>, Problem> {
    let Query(page) = page?;
    let tickets = app.store.tickets(page.limit.unwrap_or(LIST_ROWS), page.before.as_deref()).await?;
    Ok(Json(tickets.into_iter().map(TicketView::from).collect()))
}

/// One ticket.
#[utoipa::path(get, path = "/api/tickets/{number}", tag = "records",
    params(("number" = String, Path, description = "Number of the ticket")),
    responses((status = 200, body = TicketView), (status = 404, body = Problem)))]
async fn ticket(
    State(app): State<App>,
    number: Result<Path<String>, PathRejection>,
) -> Result<Json<TicketView>, Problem> {
    let Path(number) = number?;
    let ticket = app.store.ticket(&number).await?.ok_or_else(|| Problem::not_found("ticket"))?;
    Ok(Json(ticket.into()))
}

#[derive(Deserialize, ToSchema)]
struct DutyRequest {
    duty: RequestedDuty,
    /// Why, with `paused`; `other` if it is left out.
    reason: Option<RequestedReason>,
    /// How long a pause lasts, in seconds; until the lawyer comes back if it is left out.
    #[schema(minimum = 1, maximum = 86400)]
    for_s: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RequestedDuty {
    Ready,
    Paused,
    LoggedOut,
}

/// What a human may give as the reason of a pause; others are the switch's own.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RequestedReason {
    ShortBreak,
    Meal,
    Meeting,
    Training,
    Fieldwork,
    Other,
}

impl From<RequestedReason> for PauseReason {
    fn from(requested: RequestedReason) -> Self {
        match requested {
            RequestedReason::ShortBreak => Self::ShortBreak,
            RequestedReason::Meal => Self::Meal,
            RequestedReason::Meeting => Self::Meeting,
            RequestedReason::Training => Self::Training,
            RequestedReason::Fieldwork => Self::Fieldwork,
            RequestedReason::Other => Self::Other,
        }
    }
}

impl DutyRequest {
    fn duty(self, now: Timestamp) -> Result<Duty, Problem> {
        if self.duty != RequestedDuty::Paused && (self.reason.is_some() || self.for_s.is_some()) {
            return Err(unprocessable("`reason` and `for_s` belong to `paused`"));
        }
        Ok(match self.duty {
            RequestedDuty::Ready => Duty::Ready,
            RequestedDuty::LoggedOut => Duty::LoggedOut,
            RequestedDuty::Paused => Duty::Paused {
                reason: self.reason.map_or(PauseReason::Other, Into::into),
                until: self.for_s.map(|s| span("for_s", s, PAUSE_S_MAX)).transpose()?.map(|span| now + span),
            },
        })
    }
}

fn span(field: &str, seconds: u32, most: u32) -> Result<Duration, Problem> {
    match seconds {
        s if (1..=most).contains(&s) => Ok(Duration::from_secs(s.into())),
        s => Err(unprocessable(format!("`{field}` is {s}; it may be 1 to {most}"))),
    }
}

fn unprocessable(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

/// Makes a lawyer ready, pauses them or logs them out, after the call they may be in.
#[utoipa::path(post, path = "/api/agents/{id}/duty", tag = "agents", request_body = DutyRequest,
    params(("id" = u32, Path, description = "Staff number")),
    responses((status = 202, description = "The switch was told; the live feed shows when it is so"),
        (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn set_duty(
    State(app): State<App>,
    id: Result<Path<u32>, PathRejection>,
    body: Result<Json<DutyRequest>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let agent = known_agent(&app, id)?;
    let Json(request) = body?;
    command(&app, Command::AgentDuty { agent, duty: request.duty(now())? })
}

#[derive(Deserialize, ToSchema)]
struct ExtensionRequest {
    /// How much later than now planned the wrap-up is to end, in seconds.
    #[schema(minimum = 1, maximum = 3600)]
    by_s: u32,
}

/// Puts the end of a lawyer's wrap-up off, as far as the pool's rule lets.
#[utoipa::path(post, path = "/api/agents/{id}/wrap-up-extended", tag = "agents", request_body = ExtensionRequest,
    params(("id" = u32, Path, description = "Staff number")),
    responses((status = 202, description = "The switch was told; nothing happens outside an extendable wrap-up"),
        (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn extend_wrap_up(
    State(app): State<App>,
    id: Result<Path<u32>, PathRejection>,
    body: Result<Json<ExtensionRequest>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let agent = known_agent(&app, id)?;
    let Json(ExtensionRequest { by_s }) = body?;
    command(&app, Command::WrapUpExtended { agent, by: span("by_s", by_s, EXTENSION_S_MAX)? })
}

/// Ends a lawyer's wrap-up before its deadline: the form is saved. Also late, which ends the pause that followed.
#[utoipa::path(post, path = "/api/agents/{id}/wrap-up-done", tag = "agents",
    params(("id" = u32, Path, description = "Staff number")),
    responses((status = 202, description = "The switch was told; nothing happens outside a wrap-up"),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn end_wrap_up(
    State(app): State<App>,
    id: Result<Path<u32>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let agent = known_agent(&app, id)?;
    command(&app, Command::WrapUpDone { agent })
}

#[derive(Deserialize, ToSchema)]
struct TalkRequest {
    wish: RequestedWish,
    /// With `consult`: whom to call, a target of the dialplan.
    target: Option<String>,
    /// With `pass_to`: the pool that the caller is to wait for, before all others.
    pool: Option<String>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RequestedWish {
    /// Call a third party; the caller hears music meanwhile.
    Consult,
    /// All three hear each other.
    Join,
    /// Part from the third party.
    Part,
    /// Leave the caller to the third party.
    Leave,
    /// Leave the caller to another pool.
    PassTo,
}

impl TalkRequest {
    fn wish(self) -> Result<TalkWish, Problem> {
        match (self.wish, self.target, self.pool) {
            (RequestedWish::Consult, Some(target), None) => Ok(TalkWish::Consult(TargetId::new(&target))),
            (RequestedWish::PassTo, None, Some(pool)) => Ok(TalkWish::PassTo(PoolId::new(&pool))),
            (RequestedWish::Join, None, None) => Ok(TalkWish::Join),
            (RequestedWish::Part, None, None) => Ok(TalkWish::Part),
            (RequestedWish::Leave, None, None) => Ok(TalkWish::Leave),
            (RequestedWish::Consult, ..) => Err(unprocessable("`consult` wants a `target` and nothing else")),
            (RequestedWish::PassTo, ..) => Err(unprocessable("`pass_to` wants a `pool` and nothing else")),
            (RequestedWish::Join | RequestedWish::Part | RequestedWish::Leave, ..) => {
                Err(unprocessable("`target` belongs to `consult`, `pool` to `pass_to`"))
            }
        }
    }
}

/// What a lawyer wants of the talk that they are in: call a third party such as 12345 in, talk in threes, part from it,
/// or leave the caller to it or to another pool.
#[utoipa::path(post, path = "/api/agents/{id}/talk", tag = "agents", request_body = TalkRequest,
    params(("id" = u32, Path, description = "Staff number")),
    responses((status = 202, description = "The switch was told; nothing happens where it does not fit"),
        (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn wish_of_talk(
    State(app): State<App>,
    id: Result<Path<u32>, PathRejection>,
    body: Result<Json<TalkRequest>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let agent = known_agent(&app, id)?;
    let Json(request) = body?;
    command(&app, Command::TalkWished { agent, wish: request.wish()? })
}

#[derive(Deserialize, ToSchema)]
struct OverrideRequest {
    state: OverrideState,
    /// How long, in seconds; until somebody says otherwise if it is left out.
    #[schema(minimum = 1, maximum = 604800)]
    for_s: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OverrideState {
    Open,
    Closed,
    /// As if nobody had ever set anything.
    ByHours,
}

impl OverrideRequest {
    fn set(self, now: Timestamp) -> Result<Option<Override>, Problem> {
        let span = self.for_s.map(|s| span("for_s", s, OVERRIDE_S_MAX)).transpose()?;
        let until = span.map(|span| now + span);
        match self.state {
            OverrideState::Open => Ok(Some(Override { open: true, until })),
            OverrideState::Closed => Ok(Some(Override { open: false, until })),
            OverrideState::ByHours if until.is_some() => {
                Err(unprocessable("`for_s` belongs to `open` and `closed`"))
            }
            OverrideState::ByHours => Ok(None),
        }
    }
}

/// Opens or closes a pool, whatever its hours say, or lets the hours count again. New calls find it so; who waits
/// there already goes on waiting.
#[utoipa::path(post, path = "/api/pools/{id}/override", tag = "pools", request_body = OverrideRequest,
    params(("id" = String, Path, description = "Id of the pool")),
    responses((status = 202, description = "The switch was told; the live feed shows when it is so"),
        (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn override_pool(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<OverrideRequest>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    let pool = PoolId::new(&id);
    let region = app.live.region_of(&pool).ok_or_else(|| Problem::not_found("pool"))?;
    let Json(request) = body?;
    let set = request.set(now())?;
    command(&app, Command::PoolsOverridden { region, pool: Some(pool), set, by: BOARD.to_owned() })
}

/// The same for every pool of a region.
#[utoipa::path(post, path = "/api/regions/{id}/override", tag = "pools", request_body = OverrideRequest,
    params(("id" = String, Path, description = "Id of the region")),
    responses((status = 202, description = "The switch was told; the live feed shows when it is so"),
        (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn override_region(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<OverrideRequest>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    let region = RegionId::new(&id);
    if !app.live.knows_region(&region) {
        return Err(Problem::not_found("region"));
    }
    let Json(request) = body?;
    let set = request.set(now())?;
    command(&app, Command::PoolsOverridden { region, pool: None, set, by: BOARD.to_owned() })
}

/// Whether the process serves. A slow database does not make it ill: calls go on without.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, body = String)))]
async fn healthz(State(app): State<App>) -> Result<&'static str, Problem> {
    if app.commands.is_closed() { Err(Problem::unavailable("the switch has stopped")) } else { Ok("ok\n") }
}

fn known_agent(app: &App, id: Result<Path<u32>, PathRejection>) -> Result<AgentId, Problem> {
    let Path(id) = id?;
    let agent = AgentId(id);
    if app.live.knows_agent(agent) { Ok(agent) } else { Err(Problem::not_found("lawyer")) }
}

fn command(app: &App, command: Command) -> Result<StatusCode, Problem> {
    app.commands.try_send(command).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => Problem::unavailable("the switch is busy; try again"),
        mpsc::error::TrySendError::Closed(_) => Problem::unavailable("the switch has stopped"),
    })?;
    Ok(StatusCode::ACCEPTED)
}

/// What the client missed, then what comes; ends for a client that is too slow.
fn events(subscription: Subscription) -> impl Stream<Item = Event> + Send {
    let Subscription { catch_up, receiver, place } = subscription;
    let hello = std::iter::once(Event::default().retry(RECONNECT_AFTER));
    let first = hello.chain(catch_up.into_iter().map(|message| event(&message)));
    let then = BroadcastStream::new(receiver);
    tokio_stream::iter(first).chain(then.map_while(move |message| {
        // Held as long as the stream is.
        let _: &Place = &place;
        message.ok().map(|message| event(&message))
    }))
}

fn event(message: &Arc<Message>) -> Event {
    let event = Event::default().event(message.event()).data(message.json());
    match message.seq() {
        Some(seq) => event.id(seq.to_string()),
        None => event,
    }
}
