"""What a Python client sees at the edges: health, reflection, too much at once."""

import queue

import grpc
from bursar.v1 import payout_service_pb2, receipt_pb2
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import proto_reflection_descriptor_database as reflection

from expect import check, hold, refused

SERVICES = ["ShopService", "QuotaService", "PayoutService", "PolicyService", "CaseService", "EventService"]


def steps(channel, day, market):
    """The steps, in order. `day` has the stubs and a shop to ask for, `market`
    is the metadata of its platform."""

    def is_healthy():
        health = health_pb2_grpc.HealthStub(channel)
        for name in ["", *(f"bursar.v1.{service}" for service in SERVICES)]:
            answer = health.Check(health_pb2.HealthCheckRequest(service=name))
            check(answer.status, health_pb2.HealthCheckResponse.SERVING, f"the health of {name!r}")
        unknown = health_pb2.HealthCheckRequest(service="bursar.v1.None")
        refused(lambda: health.Check(unknown), grpc.StatusCode.NOT_FOUND)
        return f"the server and {len(SERVICES)} services"

    def describes_itself():
        served = reflection.ProtoReflectionDescriptorDatabase(channel)
        names = set(served.get_services())
        hold({f"bursar.v1.{service}" for service in SERVICES} <= names, f"services: {sorted(names)}")
        pool = descriptor_pool.DescriptorPool(served)
        service = pool.FindServiceByName("bursar.v1.PayoutService")
        check("AuthorizePayout" in service.methods_by_name, True, "a method found by reflection")
        fields = pool.FindMessageTypeByName("bursar.v1.Receipt").fields_by_name
        check(set(fields), set(receipt_pb2.Receipt.DESCRIPTOR.fields_by_name), "the fields of a receipt")
        return f"{len(names)} services"

    def refuses_too_large_a_message():
        request = day.request("large", "o1", "1")
        request.payout.facts["entry_channel"].string_value = "x" * (5 * 1024 * 1024)
        error, _ = refused(lambda: day.payouts.AuthorizePayout(request, metadata=market, timeout=20),
                           (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE))
        hold("4194304" in error.details(), f"the text names the limit: {error.details()}")
        return f"{error.code().name}: {error.details()}"

    def tells_long_faults_in_metadata_that_clients_take():
        request = day.request("long", "o1", "1")
        for number in range(24):
            request.payout.facts["名" * 120 + str(number)].string_value = "x"
        _, details = refused(lambda: day.payouts.AuthorizePayout(request, metadata=market),
                             grpc.StatusCode.INVALID_ARGUMENT, "FACT_UNDECLARED")
        listed = details["BadRequest"].field_violations
        left_out = int(details["ErrorInfo"].metadata["left_out"])
        check(len(listed) + left_out, 24, "faults, listed or not")
        check({violation.reason for violation in listed}, {"FACT_UNDECLARED"}, "their reasons")
        return f"{len(listed)} listed, {left_out} counted"

    def refuses_what_it_cannot_read():
        path = "/bursar.v1.PayoutService/"
        for method, code, reason in [
            ("GetPayout", grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_MALFORMED"),
            ("GetPayuot", grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN"),
        ]:
            call = channel.unary_unary(path + method, request_serializer=lambda raw: raw,
                                       response_deserializer=lambda raw: raw)
            refused(lambda: call(b"\x0a\x02\xff\xfe", metadata=market), code, reason)
        return "bytes that are no message, and a method that is none"

    def decides_a_thousand_at_once_and_no_more():
        requests = [day.request(f"batch-{number}", "o3", "0.01") for number in range(1001)]
        batch = payout_service_pb2.BatchAuthorizePayoutsRequest(parent=requests[0].parent, requests=requests)
        error, details = refused(lambda: day.payouts.BatchAuthorizePayouts(batch, metadata=market),
                                 grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
        fields = [violation.field for violation in details["BadRequest"].field_violations]
        check(fields, ["requests"], "the field that has too many")
        del batch.requests[1000:]
        results = day.payouts.BatchAuthorizePayouts(batch, metadata=market, timeout=60).results
        check([result.request_id for result in results], [r.request_id for r in requests[:1000]],
              "the order of the answers")
        # One order takes one payout a minute: the first wins, in the order sent.
        decisions = [result.receipt.decision for result in results]
        check(decisions, [receipt_pb2.DECISION_ALLOW] + [receipt_pb2.DECISION_DENY] * 999, "decisions")
        return f"1,000 receipts; 1,001 refused: {error.details()}"

    def decides_as_requests_come_in_order():
        # The batch's again, which are repeats; one that is malformed; more
        # than the service has in hand at a time.
        requests = [day.request(f"batch-{number}", "o3", "0.01") for number in range(1000)]
        broken = day.request("broken", "o3", "-1")
        more = [day.request(f"stream-{number}", "o3", "0.01") for number in range(1000)]
        requests = [*requests, broken, *more]
        answers = list(day.payouts.StreamAuthorizePayouts(iter(requests), metadata=market, timeout=60))
        check([answer.request_id for answer in answers], [r.request_id for r in requests], "the order")
        check([a.receipt.replayed for a in answers[:1000]], [True] * 1000, "repeats of the batch")
        check(answers[0].receipt.decision, receipt_pb2.DECISION_ALLOW, "the first of them")
        check(answers[1000].error.code, grpc.StatusCode.INVALID_ARGUMENT.value[0], "the malformed one")
        check({a.receipt.decision for a in answers[1001:]}, {receipt_pb2.DECISION_DENY}, "the others")
        return f"{len(answers)} answers, one of them an error"

    def talks_to_and_fro_and_goes_away():
        # Each request is sent when the one before it was answered.
        answered = queue.Queue()
        def asked():
            for number in range(20):
                yield day.request(f"talk-{number}", "o3", "0.01")
                answered.get(timeout=20)
        talk = day.payouts.StreamAuthorizePayouts(asked(), metadata=market, timeout=60)
        for number, answer in enumerate(talk):
            check(answer.request_id, f"talk-{number}", "whom it answers")
            if number == 9:
                break
            answered.put(None)
        talk.cancel()
        answered.put(None)
        again = day.payouts.AuthorizePayout(day.request("talk-9", "o3", "0.01"), metadata=market)
        hold(again.replayed, "what was answered is known on another way")
        refused(lambda: list(day.payouts.StreamAuthorizePayouts(iter([]), metadata=[("bursar-roles", "payer")])),
                grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
        return "ten to and fro, then gone"

    return [is_healthy, describes_itself, refuses_too_large_a_message,
            tells_long_faults_in_metadata_that_clients_take, refuses_what_it_cannot_read,
            decides_a_thousand_at_once_and_no_more, decides_as_requests_come_in_order,
            talks_to_and_fro_and_goes_away]
