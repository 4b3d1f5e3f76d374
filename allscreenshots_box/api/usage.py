"""What has been used, told to those who used it: GET /v1/usage and what is below it."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.openapi.spec import Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType

from ..errors import InvalidRequest
from ..keys import KeySecret
from ..keys.authentication import owned_by
from ..keys.plans import LARGEST
from ..keys.usage_store import MONTH, Counts, Period, moment, period_of
from ..services import Services
from ..validation import WireModel
from ..web.context import context_of
from ..web.error_body import reads_quota
from .area import key_of
from .responses import ERRORS

DAYS = 120
MOST_DAYS = 366  # a year, whichever it is
MOST_IDS = 100  # keys asked for by id
MOST_HISTORY = 12  # months before this one
UNLIMITED = "unlimited"
THOUSAND = 1000  # as disks and networks are sold
UNITS = ("KB", "MB", "GB", "TB")

_ID = re.compile(r"[1-9][0-9]{0,17}")  # as SQLite counts

AnyRequest = Request[Any, Any, Any]


# --- shapes -------------------------------------------------------------------------------------


class QuotaDetailResponse(WireModel):
    """Screenshots of the month. Without a quota, *limit* and *remaining* are the largest number that there is."""

    limit: int
    used: int
    remaining: int
    percent_used: int


class BandwidthQuotaResponse(WireModel):
    """Bytes of the month, as QuotaDetailResponse."""

    limit_bytes: int
    limit_formatted: str
    used_bytes: int
    used_formatted: str
    remaining_bytes: int
    remaining_formatted: str
    percent_used: int


class QuotaResponse(WireModel):
    """Both quotas, and their limits once more under the names that older clients insist on."""

    screenshots: QuotaDetailResponse
    bandwidth: BandwidthQuotaResponse
    monthly_limit: int
    monthly_bandwidth_bytes: int
    monthly_bandwidth_formatted: str
    screenshots_limit: int
    bandwidth_limit_bytes: int
    bandwidth_limit: int
    bandwidth_formatted: str


class QuotaStatusResponse(WireModel):
    """Where the key stands this month."""

    tier: str
    screenshots: QuotaDetailResponse
    bandwidth: BandwidthQuotaResponse
    period_ends: str


class PeriodUsageResponse(WireModel):
    """What an organization used in one month, which ends before *periodEnd*."""

    period_start: str
    period_end: str
    screenshots_count: int
    bandwidth_bytes: int
    bandwidth_formatted: str


class TotalsResponse(WireModel):
    """What an organization has used since its first key."""

    screenshots_count: int
    bandwidth_bytes: int
    bandwidth_formatted: str


class UsageOrganizationResponse(WireModel):
    """Whom the key belongs to."""

    id: str
    name: str


class CreditBalanceResponse(WireModel):
    """What the key may still take this month."""

    allowance_type: str
    balance: int
    resets_at: str | None


class UsageResponse(WireModel):
    """The organization's usage, and the key's quota."""

    organization: UsageOrganizationResponse
    tier: str
    credits: CreditBalanceResponse
    current_period: PeriodUsageResponse
    quota: QuotaResponse | None
    history: list[PeriodUsageResponse]
    totals: TotalsResponse


class CaptureUsageCounts(WireModel, gc=False):
    """What one key used in some time. Nothing to the garbage collector, which else stops all for 100,000 of them."""

    screenshots_count: int
    bandwidth_bytes: int


class ApiKeyUsageDetail(WireModel, gc=False):
    """What one key used this month, and in all. As CaptureUsageCounts, nothing to the garbage collector."""

    api_key_id: str
    key_prefix: str
    name: str
    current_period: CaptureUsageCounts
    totals: CaptureUsageCounts


class ApiKeyUsageResponse(WireModel):
    """What each key of the organization used."""

    period_start: str
    period_end: str
    keys: list[ApiKeyUsageDetail]


class DailyCaptureCountResponse(WireModel):
    """How many screenshots one day had."""

    date: str
    count: int


# --- routes -------------------------------------------------------------------------------------


@get(
    "/usage",
    operation_id="getUsage",
    tags=["Usage"],
    summary="Usage, quota, credits",
    description="What the key's organization used this month, before and in all, and the quota of the key that asks.",
    responses=ERRORS,
)
async def get_usage(request: AnyRequest, services: NamedDependency[Services]) -> UsageResponse:
    """Tell what the organization has used, and what the key may still use."""
    key, usage = _key(request), services.usage
    period = period_of(usage.now().date())
    months = await usage.of_organization(key.organization, span=MONTH)
    quota = _quota(key, await usage.used_by(key))
    total = Counts()
    for counts in months.values():
        total.add(counts)
    before = sorted((month for month in months if month < period.name), reverse=True)[:MOST_HISTORY]
    return UsageResponse(
        organization=UsageOrganizationResponse(id=key.organization, name=key.organization),
        tier=key.plan.name,
        credits=CreditBalanceResponse(
            allowance_type="MONTHLY", balance=quota.screenshots.remaining, resets_at=moment(period.ends)
        ),
        current_period=_told(period, months.get(period.name, Counts())),
        quota=quota if reads_quota(request.headers.get("user-agent", "")) else None,
        history=[_told(period_of(date.fromisoformat(f"{month}-01")), months[month]) for month in before],
        totals=TotalsResponse(
            screenshots_count=total.screenshots,
            bandwidth_bytes=total.bytes,
            bandwidth_formatted=formatted(total.bytes),
        ),
    )


@get(
    "/usage/quota",
    operation_id="getQuota",
    tags=["Usage"],
    summary="Quota now",
    description="What the key that asks may still use this month.",
    responses=ERRORS,
)
async def get_quota(request: AnyRequest, services: NamedDependency[Services]) -> QuotaStatusResponse:
    """Tell what the key may still use this month."""
    key, usage = _key(request), services.usage
    quota = _quota(key, await usage.used_by(key))
    return QuotaStatusResponse(
        tier=key.plan.name,
        screenshots=quota.screenshots,
        bandwidth=quota.bandwidth,
        period_ends=moment(period_of(usage.now().date()).ends),
    )


@get(
    "/usage/keys",
    operation_id="getUsageByKey",
    tags=["Usage"],
    summary="Usage by key",
    description="What each key of the organization used this month and in all, those too that no longer work.",
    responses=ERRORS,
)
async def get_usage_by_key(request: AnyRequest, services: NamedDependency[Services]) -> ApiKeyUsageResponse:
    """Tell what each key of the organization has used."""
    key, usage = _key(request), services.usage
    period = period_of(usage.now().date())
    told: list[ApiKeyUsageDetail] = []
    async with usage.listing:
        while stretch := await usage.stretch(key.organization, int(told[-1].api_key_id) if told else 0, period.name):
            told += [
                ApiKeyUsageDetail(
                    api_key_id=str(holder.id),
                    key_prefix=holder.prefix,
                    name=holder.name,
                    current_period=_counted(lately),
                    totals=_counted(in_all),
                )
                for holder, lately, in_all in stretch
            ]
    return ApiKeyUsageResponse(period_start=moment(period.begins), period_end=moment(period.ends), keys=told)


@dataclass
class _Activity(Operation):
    """The operation with its query as the contract has it; the handler reads it, to tell what is wrong in our words."""

    def __post_init__(self) -> None:
        days = Schema(type=OpenAPIType.INTEGER, default=DAYS, minimum=1, maximum=MOST_DAYS)
        ids = Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.STRING), max_items=MOST_IDS)
        self.parameters = [
            Parameter(name="days", param_in="query", required=False, schema=days),
            Parameter(name="apiKeyIds", param_in="query", required=False, schema=ids),
        ]


@get(
    "/usage/activity",
    operation_id="getActivity",
    operation_class=_Activity,
    tags=["Usage"],
    summary="Screenshots per day",
    description="How many screenshots each of the last days had, days without any too, today last.",
    responses=ERRORS,
)
async def get_activity(request: AnyRequest, services: NamedDependency[Services]) -> list[DailyCaptureCountResponse]:
    """Tell how many screenshots each of the last days had, today last, of the organization or of some of its keys."""
    key, how_many, wanted = _key(request), _days(request), _ids(request)
    usage = services.usage
    days = [usage.now().date() - timedelta(back) for back in reversed(range(how_many))]
    if wanted:
        members = await usage.members(key.organization, [int(one) for one in wanted if _ID.fullmatch(one)])
        if wanted - {str(member) for member in members}:
            owned_by(key, "")  # no organization has an empty name
        counted = await usage.by_day(list(members), days[0])
    else:
        used = await usage.of_organization(key.organization, since=str(days[0]))
        counted = Counter({day: counts.screenshots for day, counts in used.items()})
    return [DailyCaptureCountResponse(date=str(day), count=counted[str(day)]) for day in days]


routes = [get_usage, get_quota, get_usage_by_key, get_activity]


# --- the query ----------------------------------------------------------------------------------


def _key(request: AnyRequest) -> KeySecret:
    return key_of(context_of(request.scope))


def _days(request: AnyRequest) -> int:
    text = request.query_params.get("days") or str(DAYS)
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MOST_DAYS)) or not 1 <= int(text) <= MOST_DAYS:
        raise _invalid("days", f"must be a whole number from 1 to {MOST_DAYS}")
    return int(text)


def _ids(request: AnyRequest) -> set[str]:
    """Return the ids asked for: some clients repeat the name, and some join the ids with commas."""
    ids = {one.strip() for text in request.query_params.getall("apiKeyIds", []) for one in text.split(",")} - {""}
    if len(ids) > MOST_IDS:
        raise _invalid("apiKeyIds", f"must be at most {MOST_IDS} ids")
    return ids


def _invalid(name: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"{name} {problem}.", {name: problem})


# --- numbers ------------------------------------------------------------------------------------


def _quota(key: KeySecret, used: Counts) -> QuotaResponse:
    screenshots = _screenshots(key.plan.screenshots_per_month, used.screenshots)
    bandwidth = _bandwidth(key.plan.bandwidth_per_month, used.bytes)
    return QuotaResponse(
        screenshots=screenshots,
        bandwidth=bandwidth,
        monthly_limit=screenshots.limit,
        monthly_bandwidth_bytes=bandwidth.limit_bytes,
        monthly_bandwidth_formatted=bandwidth.limit_formatted,
        screenshots_limit=screenshots.limit,
        bandwidth_limit_bytes=bandwidth.limit_bytes,
        bandwidth_limit=bandwidth.limit_bytes,
        bandwidth_formatted=bandwidth.limit_formatted,
    )


def _screenshots(limit: int | None, used: int) -> QuotaDetailResponse:
    return QuotaDetailResponse(
        limit=LARGEST if limit is None else limit,
        used=min(used, LARGEST),
        remaining=_remaining(limit, used),
        percent_used=_percent(limit, used),
    )


def _bandwidth(limit: int | None, used: int) -> BandwidthQuotaResponse:
    remaining = _remaining(limit, used)
    return BandwidthQuotaResponse(
        limit_bytes=LARGEST if limit is None else limit,
        limit_formatted=UNLIMITED if limit is None else formatted(limit),
        used_bytes=used,
        used_formatted=formatted(used),
        remaining_bytes=remaining,
        remaining_formatted=UNLIMITED if limit is None else formatted(remaining),
        percent_used=_percent(limit, used),
    )


def _remaining(limit: int | None, used: int) -> int:
    return LARGEST if limit is None else max(0, limit - used)


def _percent(limit: int | None, used: int) -> int:
    return 0 if limit is None else min(100, used * 100 // limit)


def formatted(size: int) -> str:
    """Return *size* in bytes as people read it: 999 B, 1.5 MB."""
    if size < THOUSAND:
        return f"{size} B"
    power = min((len(str(size)) - 1) // 3, len(UNITS))
    return f"{size / THOUSAND**power:.1f} {UNITS[power - 1]}"


def _told(period: Period, counts: Counts) -> PeriodUsageResponse:
    return PeriodUsageResponse(
        period_start=moment(period.begins),
        period_end=moment(period.ends),
        screenshots_count=min(counts.screenshots, LARGEST),
        bandwidth_bytes=counts.bytes,
        bandwidth_formatted=formatted(counts.bytes),
    )


def _counted(counts: Counts) -> CaptureUsageCounts:
    return CaptureUsageCounts(screenshots_count=counts.screenshots, bandwidth_bytes=counts.bytes)
