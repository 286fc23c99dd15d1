//! The use of limits.

use bursar::{
    api::auth::Authenticator,
    proto::v1::{self, quota_service_server::QuotaService},
};
use tonic::Code;

use super::setup::*;

#[tokio::test]
async fn usage_says_what_is_left_in_the_callers_language() {
    let request = v1::GetUsageRequest {
        parent: "platforms/p/shops/s".to_owned(),
        programme: programme().to_string(),
        ..v1::GetUsageRequest::default()
    };
    for (used, remaining, over_by) in [("100", "380.00", ""), ("490.5", "0.00", "10.50")] {
        let api = api_on(installed(used), Authenticator::Local);
        furnish(&api).await;
        let mut sent = by("merchant", request.clone());
        let chinese = tonic::metadata::MetadataValue::from_static("zh-CN");
        sent.metadata_mut().insert("accept-language", chinese);
        let usage = api.get_usage(sent).await.expect("usage").into_inner();
        let [limit] = &usage.limits[..] else { panic!("one limit: {usage:?}") };
        assert_eq!((&*limit.rule, &*limit.limit, &*limit.held), ("shop-daily", "500.00", "20.00"));
        assert_eq!((&*limit.remaining, &*limit.over_by, &*limit.unit), (remaining, over_by, "CNY"));
        assert_eq!(limit.text, format!("s 今日剩余 {remaining} CNY"));
        assert_eq!(limit.time_zone, "Asia/Shanghai");
        let usage = api.get_usage(by("merchant", request.clone())).await.expect("usage");
        let text = usage.into_inner().limits.first().map(|l| l.text.clone());
        assert_eq!(text, Some(format!("{remaining} CNY left, —")));
        let elsewhere = v1::GetUsageRequest {
            programme: "platforms/q/programmes/small".to_owned(),
            order: "platforms/p/shops/t/orders/o".to_owned(),
            ..request.clone()
        };
        let answer = api.get_usage(by("merchant", elsewhere)).await;
        let fields = ["programme", "order"];
        assert_refused(answer, Code::InvalidArgument, "NAME_INVALID", &fields);
    }
}
