//! Who may see and order what on the board.

use forewarn::accounts::{Accounts, Reach};
use forewarn_core::authority::Role;
use forewarn_core::level::Status;
use forewarn_core::time::Span;
use reqwest::{Client, StatusCode, redirect};

use crate::common::house::{Receiver, level};
use crate::house;

/// A day: longer than any test.
const LASTS: Span = Span::from_hours(24);

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_orders_beyond_their_role_and_areas() {
    let receiver = Receiver::start().await;
    let (folder, service, mut device) = house(&receiver, Status::Actual).await;
    device.publish("river/qj-1", level("qj-1", 58.2)).await;
    let posts = receiver.wait_for("the alert", |got| !got.is_empty()).await;
    let id = posts[0].body["revisions"][0]["warning"].as_str().expect("an id").to_owned();
    let accounts = Accounts::open(&folder.data()).expect("the service has made it");
    let token = |name: &str, role, areas: &[&str]| {
        let areas: Vec<String> = areas.iter().map(|&area| area.to_owned()).collect();
        let (token, _) = accounts
            .add_token(name, role, &Reach::of(&areas), LASTS, forewarn::clock::wall())
            .expect("a new token");
        token.expose().to_owned()
    };
    let viewer = token("viewer", Role::Viewer, &[]);
    let operator = token("operator", Role::Operator, &["town"]);
    let foreign = token("foreign", Role::Operator, &["elsewhere"]);
    let base = format!("http://{}", service.http_addr());
    let client = Client::builder().redirect(redirect::Policy::none()).build().expect("a client");
    let get = async |token: Option<&str>, path: &str| {
        let request = client.get(format!("{base}{path}")).header("accept", "text/html");
        let request = token.map_or(request.try_clone().expect("no body"), |token| request.bearer_auth(token));
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("text"))
    };
    let order = async |token: &str, path: &str, form: &str| {
        let request = client.post(format!("{base}{path}")).bearer_auth(token);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        let answer = request.send().await.expect("an answer");
        let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default();
        (answer.status(), to.to_owned())
    };
    let warning = format!("/warnings/{id}");

    for path in ["/", "/warnings", &warning, "/sensors", "/deliveries", "/quarantine", "/help", "/live"] {
        let (code, page) = get(None, path).await;
        assert_eq!(code, StatusCode::SEE_OTHER, "{path}: {page}");
    }
    let (code, page) = get(Some(&viewer), &warning).await;
    assert_eq!(code, StatusCode::OK, "{page}");
    assert!(!page.contains("<form method=\"post\" action=\"/warnings"), "a viewer is offered no order");
    for path in [warning.as_str(), "/sensors/qj-1/level", "/quarantine"] {
        let (code, page) = get(Some(&foreign), path).await;
        assert_eq!(code, StatusCode::FORBIDDEN, "{path}: {page}");
    }
    for path in ["/", "/warnings", "/sensors", "/deliveries"] {
        let (code, page) = get(Some(&foreign), path).await;
        assert_eq!(code, StatusCode::OK);
        assert!(!page.contains("曲江") && !page.contains(&id), "{path} shows what is elsewhere: {page}");
    }

    let acknowledge = format!("{warning}/acknowledge");
    for (path, form) in [
        (acknowledge.as_str(), "contact=duty&number=1"),
        (&format!("{warning}/all-clear"), "reason=x"),
        (&format!("{warning}/cancel"), "reason=x"),
    ] {
        assert_eq!(order(&viewer, path, form).await.0, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(order(&foreign, path, form).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    let (_, page) = get(Some(&operator), &warning).await;
    assert!(page.contains("尚无人确认"), "nothing followed from any of these: {page}");

    let (code, to) = order(&operator, &acknowledge, "contact=duty&number=1").await;
    assert_eq!((code, to.as_str()), (StatusCode::SEE_OTHER, &*format!("{warning}?done=acknowledged")));
    let (_, page) = get(Some(&operator), &to).await;
    assert!(page.contains("已通知 1 人，1 人已确认") && page.contains("已确认。"), "{page}");
    let (_, to) = order(&operator, &acknowledge, "contact=nobody&number=1").await;
    assert!(to.ends_with("done=refused"), "{to}");
    let (code, to) = order(&operator, &format!("{warning}/cancel"), "reason=a+mistake").await;
    assert_eq!((code, to.ends_with("done=cancelled")), (StatusCode::SEE_OTHER, true), "{to}");
    receiver
        .wait_for("the cancellation", |got| got.iter().any(|it| it.body.to_string().contains("a mistake")))
        .await;
    service.stop().await;
}
