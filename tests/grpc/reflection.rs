//! Reflection in both of its versions: every service is listed, and what it is
//! made of can be fetched.

use super::{SERVICES, process::Server};

macro_rules! describes_itself {
    ($test:ident, $version:ident) => {
        #[tokio::test]
        async fn $test() {
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest,
                server_reflection_response::MessageResponse,
            };

            let server = Server::in_memory();
            let mut reflection = ServerReflectionClient::new(server.channel().await);
            let asked = [
                MessageRequest::ListServices(String::new()),
                MessageRequest::FileContainingSymbol("bursar.v1.PayoutService".to_owned()),
            ];
            let requests = asked.map(|request| ServerReflectionRequest {
                host: String::new(),
                message_request: Some(request),
            });
            let stream = tokio_stream::iter(requests);
            let answer = reflection.server_reflection_info(stream).await.expect("a stream");
            let mut answers = answer.into_inner();
            let mut next = async || {
                let answer = answers.message().await.expect("no error").expect("an answer");
                answer.message_response
            };
            let Some(MessageResponse::ListServicesResponse(list)) = next().await else {
                panic!("no list of services");
            };
            let names: Vec<String> = list.service.into_iter().map(|s| s.name).collect();
            for service in SERVICES.into_iter().chain(["grpc.health.v1.Health"]) {
                assert!(names.iter().any(|name| name == service), "{service} in {names:?}");
            }
            let Some(MessageResponse::FileDescriptorResponse(files)) = next().await else {
                panic!("no descriptor");
            };
            assert!(!files.file_descriptor_proto.is_empty());
        }
    };
}

describes_itself!(every_service_is_listed_by_reflection_v1, v1);
describes_itself!(every_service_is_listed_by_reflection_v1alpha, v1alpha);
