"""A shop's day, played by a Python client against a running server.

Usage: day.py ADDRESS

Proves the wire: the stubs are made by grpcio-tools, the errors are decoded by
grpcio-status. Prints a line for each step; the first thing that is not as it
should be ends it with exit code 1. Needs a server without this platform in it.
"""

import datetime
import pathlib
import sys
import time

import grpc
from google.protobuf import field_mask_pb2, json_format
from google.type import money_pb2

import stubs
from expect import check, hold, refused

FOLDER = stubs.build()

import edges  # noqa: E402 (needs the stubs)
from bursar.v1 import (  # noqa: E402
    event_service_pb2, event_service_pb2_grpc, payout_pb2, payout_service_pb2,
    payout_service_pb2_grpc, policy_service_pb2, policy_service_pb2_grpc, quota_pb2,
    quota_service_pb2, quota_service_pb2_grpc, receipt_pb2, shop_pb2, shop_service_pb2,
    shop_service_pb2_grpc,
)

POLICIES = pathlib.Path(__file__).resolve().parents[2] / "policies"
PLATFORM = "platforms/market"
PROGRAMME = f"{PLATFORM}/programmes/small-payout"
SHOP = f"{PLATFORM}/shops/tea"
ACCOUNT = f"{SHOP}/accounts/settlement"
MAIN, SUB = f"{SHOP}/operators/main", f"{SHOP}/operators/sub"

# Without a token file the server lets callers narrow what they may.
ADMIN = [("bursar-caller", "owner"), ("bursar-roles", "admin")]
MARKET = [("bursar-caller", "market"), ("bursar-roles", "platform")]
MERCHANT = [("bursar-caller", "back-office"), ("bursar-roles", "merchant")]
PAYER = [("bursar-caller", "channel"), ("bursar-roles", "payer")]
CHINESE, ENGLISH = ("accept-language", "zh-CN"), ("accept-language", "en")

SIX = {
    "app-supported": ("仅支持在抖音或抖音火山版下单的订单，该订单来自 toutiao", "Only orders placed in"),
    "paid-online": ("仅支持在线支付的订单", "Only orders paid online"),
    "no-cross-border": ("跨境订单不支持小额打款", "Cross-border orders cannot"),
    "shop-operating": ("店铺非正常营业状态", "The shop is not in normal operation"),
    "order-total": ("单笔订单累计打款不能超过 500.00 元", "At most 500.00 CNY in total for one order"),
    "operator-per-payout": ("子账号单笔打款不能超过主账号设置的 200.00 元", "The sub-account may pay at most"),
}


def main():
    address = sys.argv[1]
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        away_from_midnight()
        day = Day(channel)
        for step in [
            day.opens, day.takes_proceeds, day.grants, day.pays_orders, day.denies_for_six_reasons,
            day.repeats, day.refuses_other_content, day.executes_and_settles, day.gives_back_a_failure,
            day.refuses_what_is_unknown, day.shows_usage, day.lists, day.tells_events,
        ]:
            print(f"  {step.__name__.replace('_', ' ')}: {step()}", flush=True)
        for step in edges.steps(channel, day, MARKET):
            print(f"  {step.__name__.replace('_', ' ')}: {step()}", flush=True)
    print("the day is over, and all was as it should be", flush=True)


def away_from_midnight():
    """A day that began before midnight in Shanghai and went on after it would
    count in two windows."""
    seconds = (time.time() + 8 * 3600) % 86400
    if seconds > 86400 - 60:
        time.sleep(86400 - seconds + 1)


def yuan(text):
    whole, _, part = text.partition(".")
    nanos = int(part.ljust(9, "0")) if part else 0
    return money_pb2.Money(currency_code="CNY", units=int(whole), nanos=nanos)


class Day:
    def __init__(self, channel):
        self.shops = shop_service_pb2_grpc.ShopServiceStub(channel)
        self.quotas = quota_service_pb2_grpc.QuotaServiceStub(channel)
        self.payouts = payout_service_pb2_grpc.PayoutServiceStub(channel)
        self.policies = policy_service_pb2_grpc.PolicyServiceStub(channel)
        self.events = event_service_pb2_grpc.EventServiceStub(channel)
        self.now = datetime.datetime.now(datetime.timezone.utc)

    def opens(self):
        created = self.shops.CreatePlatform(
            shop_service_pb2.CreatePlatformRequest(
                platform_id="market", platform=shop_pb2.Platform(display_name="Market")
            ),
            metadata=ADMIN,
        )
        check(created.name, PLATFORM, "the platform's name")
        revision = self.policies.CreateRevision(
            policy_service_pb2.CreateRevisionRequest(
                parent=PROGRAMME, yaml=(POLICIES / "douyin-small-payout.yaml").read_text("utf-8")
            ),
            metadata=ADMIN,
        )
        programme = self.policies.ActivateRevision(
            policy_service_pb2.ActivateRevisionRequest(name=revision.name), metadata=ADMIN
        )
        check(programme.active_revision, revision.name, "the revision in force")
        self.shops.CreateShop(
            shop_service_pb2.CreateShopRequest(
                parent=PLATFORM, shop_id="tea", shop=self.shop("normal")
            ),
            metadata=MARKET,
        )
        for name, kind in [("main", "KIND_MAIN"), ("sub", "KIND_SUB")]:
            made = self.quotas.CreateOperator(
                quota_service_pb2.CreateOperatorRequest(
                    parent=SHOP, operator_id=name,
                    operator=quota_pb2.Operator(kind=quota_pb2.Operator.Kind.Value(kind)),
                ),
                metadata=MARKET,
            )
            check(made.name, f"{SHOP}/operators/{name}", "the operator's name")
        return f"{SHOP} under {revision.name}"

    def shop(self, state):
        shop = shop_pb2.Shop(display_name="Tea")
        shop.facts["operating_state"].string_value = state
        shop.facts["qualification"].string_value = "enterprise"
        return shop

    def takes_proceeds(self):
        self.shops.CreateAccount(
            shop_service_pb2.CreateAccountRequest(
                parent=SHOP, account_id="settlement",
                account=shop_pb2.Account(
                    kind=shop_pb2.Account.KIND_SETTLEMENT, currency_code="CNY"
                ),
            ),
            metadata=MARKET,
        )
        request = shop_service_pb2.RecordMovementRequest(
            parent=ACCOUNT,
            movement=shop_pb2.Movement(
                reference="proceeds-1", direction=shop_pb2.Movement.DIRECTION_CREDIT,
                kind=shop_pb2.Movement.KIND_PROCEEDS, amount=yuan("2000"),
            ),
        )
        moved = self.shops.RecordMovement(request, metadata=MARKET)
        check(moved.account.available, "2000.00", "what is available")
        again = self.shops.RecordMovement(request, metadata=MARKET)
        hold(again.replayed, "the same reference is told as a repeat")
        check(again.account.balance, "2000.00", "the balance after the repeat")
        return f"{moved.account.available} CNY, once"

    def grants(self):
        grant = quota_pb2.Grant(
            name=f"{SUB}/grants/small-payout", enabled=True,
            per_payout_amount="200.00", daily_amount="300.00",
        )
        request = quota_service_pb2.UpdateGrantRequest(grant=grant, actor=SUB)
        refused(lambda: self.quotas.UpdateGrant(request, metadata=MERCHANT),
                grpc.StatusCode.PERMISSION_DENIED)
        request.actor = MAIN
        granted = self.quotas.UpdateGrant(request, metadata=MERCHANT)
        check(granted.daily_amount, "300.00", "the daily amount of the grant")
        hold(granted.etag, "a grant has an etag")
        return "the main account grants 200.00 at once and 300.00 a day; the sub-account may not"

    def order(self, name, **facts):
        order = shop_pb2.Order(name=f"{SHOP}/orders/{name}", paid_amount=yuan("1000"))
        order.place_time.FromDatetime(self.now - datetime.timedelta(days=10))
        order.source_time.FromDatetime(self.now - datetime.timedelta(days=1))
        known = {"app": "douyin", "payment_method": "online", "status": "shipped",
                 "deposit_presale": False, "local_life": False, "cross_border": False}
        for key, value in {**known, **facts}.items():
            kind = "bool_value" if isinstance(value, bool) else "string_value"
            setattr(order.facts[key], kind, value)
        return self.shops.UpsertOrder(
            shop_service_pb2.UpsertOrderRequest(order=order), metadata=MARKET
        )

    def request(self, request_id, order, amount, operator=MAIN):
        payout = payout_service_pb2.PayoutSpec(
            programme=PROGRAMME, operator=operator, order=f"{SHOP}/orders/{order}", amount=yuan(amount)
        )
        payout.facts["entry_channel"].string_value = "shop_pc_order_detail"
        return payout_service_pb2.AuthorizePayoutRequest(
            parent=SHOP, request_id=request_id, payout=payout
        )

    def ask(self, request, *metadata):
        return self.payouts.AuthorizePayout(request, metadata=[*MARKET, *metadata])

    def pays_orders(self):
        for order in ["o1", "o2", "o3"]:
            self.order(order)
        self.first = self.ask(self.request("r1", "o1", "150", SUB))
        second = self.ask(self.request("r2", "o2", "500"))
        for receipt in [self.first, second]:
            check(receipt.decision, receipt_pb2.DECISION_ALLOW, f"the decision {receipt}")
            check(receipt.state, receipt_pb2.PAYOUT_STATE_AUTHORIZED, "the state")
            hold(receipt.expire_time.seconds > receipt.decide_time.seconds, "it expires later")
        self.second = second
        account = self.shops.GetAccount(shop_service_pb2.GetAccountRequest(name=ACCOUNT), metadata=MARKET)
        check((account.held, account.available), ("650.00", "1350.00"), "held, available")
        # 150.00 of 300.00 are held; the grant allows 200.00 at once.
        over = self.ask(self.request("r3", "o3", "150.01", SUB), ENGLISH)
        check(over.decision, receipt_pb2.DECISION_DENY, "one fen above the day's grant")
        check([finding.rule for finding in over.findings], ["operator-daily"], "what stands in the way")
        check(over.max_amount, "150.00", "the largest amount that passes")
        finding = over.findings[0]
        check((finding.limit, finding.held, finding.remaining, finding.unit),
              ("300.00", "150.00", "150.00", "CNY"), "limit, held, remaining, unit")
        hold(finding.reset_time.seconds > over.decide_time.seconds, "the day ends later")
        check(finding.time_zone, "Asia/Shanghai", "the zone")
        return f"150.00 and 500.00 held; 150.01 denied: {finding.text}"

    def denies_for_six_reasons(self):
        self.order("odd", app="toutiao", payment_method="cash_on_delivery", cross_border=True)
        facts = field_mask_pb2.FieldMask(paths=["facts"])
        shop = self.shop("suspended_for_rectification")
        shop.name = SHOP
        change = shop_service_pb2.UpdateShopRequest(shop=shop, update_mask=facts)
        self.shops.UpdateShop(change, metadata=MARKET)
        self.raises_the_grant()
        request = self.request("six", "odd", "600", SUB)
        before = self.held()
        chinese = self.ask(request, CHINESE)
        read = payout_service_pb2.GetDecisionRequest(parent=SHOP, request_id="six")
        english = self.payouts.GetDecision(read, metadata=[*MARKET, ENGLISH])
        for receipt, language in [(chinese, 0), (english, 1)]:
            check(receipt.decision, receipt_pb2.DECISION_DENY, "the decision")
            rules = {finding.rule: finding for finding in receipt.findings}
            check(sorted(rules), sorted(SIX), "the rules that are broken")
            check({f.outcome for f in receipt.findings}, {receipt_pb2.OUTCOME_DENY}, "their outcomes")
            for rule, texts in SIX.items():
                hold(texts[language] in rules[rule].text, f"{rule} reads {rules[rule].text!r}")
                hold(rules[rule].remedy, f"{rule} says what to do")
        check(chinese.max_amount, "0.00", "the largest amount that passes")
        check(self.held(), before, "what is held after a denial")
        for finding in english.findings:
            print(f"      {finding.rule:<20} {finding.text}")
        for finding in chinese.findings:
            print(f"      {finding.rule:<20} {finding.text}")
        change.shop.facts["operating_state"].string_value = "normal"
        self.shops.UpdateShop(change, metadata=MARKET)
        return "all named, in both languages, and nothing held"

    def raises_the_grant(self):
        """To 1,000.00 a day, so that the day's limit is none of the six."""
        name = f"{SUB}/grants/small-payout"
        request = quota_service_pb2.UpdateGrantRequest(
            grant=quota_pb2.Grant(name=name, daily_amount="1000.00", etag="stale"),
            update_mask=field_mask_pb2.FieldMask(paths=["daily_amount"]), actor=MAIN,
        )
        refused(lambda: self.quotas.UpdateGrant(request, metadata=MERCHANT),
                grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
        read = quota_service_pb2.GetGrantRequest(name=name)
        request.grant.etag = self.quotas.GetGrant(read, metadata=MERCHANT).etag
        grant = self.quotas.UpdateGrant(request, metadata=MERCHANT)
        check((grant.per_payout_amount, grant.daily_amount), ("200.00", "1000.00"), "the grant")

    def held(self):
        account = self.shops.GetAccount(shop_service_pb2.GetAccountRequest(name=ACCOUNT), metadata=MARKET)
        return account.held

    def repeats(self):
        before = self.held()
        again = self.ask(self.request("r1", "o1", "150.00", SUB))
        hold(again.replayed and not self.first.replayed, "a repeat is told as one")
        check((again.name, again.payout), (self.first.name, self.first.payout), "the repeat")
        check(self.held(), before, "what is held after the repeat")
        denied = self.ask(self.request("six", "odd", "600", SUB))
        hold(denied.replayed, "a denied one is remembered too")
        check(denied.decision, receipt_pb2.DECISION_DENY, "a denied one stays denied")
        return "the first answers again, and nothing is held twice"

    def refuses_other_content(self):
        error, details = refused(lambda: self.ask(self.request("r1", "o1", "151", SUB)),
                                 grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
        fields = [(v.field, v.reason) for v in details["BadRequest"].field_violations]
        check(fields, [("payout.amount", "REQUEST_ID_REUSED")], "the differing fields")
        bad = self.request("", "o1", "1.001")
        bad.payout.programme = ""
        _, details = refused(lambda: self.ask(bad), grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
        fields = sorted((v.field, v.reason) for v in details["BadRequest"].field_violations)
        check(fields, [("payout.programme", "FIELD_REQUIRED"), ("request_id", "FIELD_REQUIRED")],
              "the fields that break the contract")
        return error.details()

    def executes_and_settles(self):
        name = self.first.payout
        execute = payout_service_pb2.ExecutePayoutRequest(name=name, execution_id="x1")
        refused(lambda: self.payouts.ExecutePayout(execute, metadata=MERCHANT),
                grpc.StatusCode.PERMISSION_DENIED)
        running = self.payouts.ExecutePayout(execute, metadata=PAYER)
        check(running.state, receipt_pb2.PAYOUT_STATE_PROCESSING, "the state")
        self.payouts.ExecutePayout(execute, metadata=PAYER)
        other = payout_service_pb2.ExecutePayoutRequest(name=name, execution_id="x2")
        refused(lambda: self.payouts.ExecutePayout(other, metadata=PAYER),
                grpc.StatusCode.ABORTED, "ALREADY_EXECUTING")
        settle = payout_service_pb2.SettlePayoutRequest(
            name=name, result=payout_pb2.Settlement.RESULT_SUCCEEDED, channel_reference="c1",
            amount=yuan("150"),
        )
        for _ in range(2):
            done = self.payouts.SettlePayout(settle, metadata=PAYER)
            check(done.state, receipt_pb2.PAYOUT_STATE_SUCCEEDED, "the state")
            check(done.settled_amount, yuan("150"), "what the payee got")
        account = self.shops.GetAccount(shop_service_pb2.GetAccountRequest(name=ACCOUNT), metadata=MARKET)
        check((account.balance, account.held), ("1850.00", "500.00"), "balance, held")
        return f"150.00 paid; the account has {account.balance}, of which {account.held} are held"

    def gives_back_a_failure(self):
        name = self.second.payout
        report = payout_service_pb2.SettlePayoutRequest(
            name=name, result=payout_pb2.Settlement.RESULT_FAILED, channel_reference="c2",
            reason="BUYER_WALLET_CLOSED",
        )
        refused(lambda: self.payouts.SettlePayout(report, metadata=PAYER),
                grpc.StatusCode.FAILED_PRECONDITION)
        execute = payout_service_pb2.ExecutePayoutRequest(name=name, execution_id="x3")
        self.payouts.ExecutePayout(execute, metadata=PAYER)
        failed = self.payouts.SettlePayout(report, metadata=[*PAYER, CHINESE])
        check(failed.state, receipt_pb2.PAYOUT_STATE_FAILED, "the state")
        check((failed.state_text, failed.reason), ("打款失败", "BUYER_WALLET_CLOSED"), "how it reads")
        check(self.held(), "0.00", "what is held after the failure")
        return "500.00 held no more"

    def refuses_what_is_unknown(self):
        unknown = payout_service_pb2.GetPayoutRequest(name=f"{SHOP}/payouts/none")
        error, _ = refused(lambda: self.payouts.GetPayout(unknown, metadata=MARKET),
                           grpc.StatusCode.NOT_FOUND, "PAYOUT_NOT_FOUND")
        return error.details()

    def shows_usage(self):
        usage = self.quotas.GetUsage(
            quota_service_pb2.GetUsageRequest(parent=SHOP, programme=PROGRAMME, operator=SUB),
            metadata=[*MERCHANT, ENGLISH],
        )
        limits = {limit.rule: limit for limit in usage.limits}
        for rule, numbers in {
            "shop-daily": ("15000.00", "150.00", "0.00", "14850.00"),
            "operator-daily": ("1000.00", "150.00", "0.00", "850.00"),
        }.items():
            limit = limits[rule]
            check((limit.limit, limit.used, limit.held, limit.remaining), numbers, rule)
        return ", ".join(f"{rule} {limit.used}/{limit.limit}" for rule, limit in limits.items())

    def lists(self):
        found, token = [], ""
        while True:
            page = self.payouts.ListPayouts(
                payout_service_pb2.ListPayoutsRequest(parent=SHOP, page_size=1, page_token=token),
                metadata=MARKET,
            )
            hold(len(page.payouts) <= 1, "a page is no longer than asked")
            found += page.payouts
            token = page.next_page_token
            if not token:
                break
        states = sorted((payout.request_id, payout.state) for payout in found)
        check(states, [("r1", receipt_pb2.PAYOUT_STATE_SUCCEEDED), ("r2", receipt_pb2.PAYOUT_STATE_FAILED)],
              "the payouts of the shop")
        return f"{len(found)} payouts, a page each"

    def tells_events(self):
        found, cursor = [], ""
        while True:
            page = self.events.ListEvents(
                event_service_pb2.ListEventsRequest(parent=SHOP, cursor=cursor, page_size=5),
                metadata=[*MARKET, ENGLISH],
            )
            found += page.events
            cursor = page.next_cursor
            if not page.more:
                break
        kinds = [event_service_pb2.Event.Kind.Name(event.kind) for event in found]
        check(kinds.count("KIND_DECIDED"), 4, "decisions among the events")
        check(kinds.count("KIND_MOVEMENT"), 1, "movements among the events")
        alerts = [event.alert for event in found if event.kind == event_service_pb2.Event.KIND_ALERT]
        check(alerts, ["payout-failed"], "the alerts")
        check(len({event.cursor for event in found}), len(found), "cursors that differ")
        json_format.MessageToJson(found[0])
        return f"{len(found)} events; the alerts: {', '.join(alerts)}"


if __name__ == "__main__":
    main()
