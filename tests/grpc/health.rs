//! grpc.health.v1 for the server and each service.

use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{SERVICES, process::Server};

#[tokio::test]
async fn the_server_and_each_service_are_healthy() {
    let server = Server::in_memory();
    let mut health = HealthClient::new(server.channel().await);
    for service in SERVICES.into_iter().chain([""]) {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(request).await.expect(service).into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let unknown = HealthCheckRequest { service: "bursar.v1.None".to_owned() };
    let status = health.check(unknown).await.expect_err("no such service");
    assert_eq!(status.code(), Code::NotFound);
}
