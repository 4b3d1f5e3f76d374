"""What every field of the API means, in a sentence: for the description, the reference, and the docs."""

_ACTION = {
    "optional": "If the action fails, go on.",
    "timeout": "How many milliseconds it may take; without it, 5000, and a `wait` its `ms` and a second more.",
    "type": "Which action it is.",
}
_OUTPUT = {
    "id": "Its name in the answer; without it, the type, with `-2`, `-3` for repeats.",
    "type": "Which output it is.",
}

# By the name of the shape, then by that of the field as it travels.
FIELDS: dict[str, dict[str, str]] = {
    "ScreenshotRequest": {
        "url": (
            "The page, an http or https address of up to 8192 characters. No spaces, backslashes or control "
            "characters; encode them."
        ),
        "viewport": "The window, in CSS pixels.",
        "deviceScaleFactor": "`viewport.deviceScaleFactor`, as some callers write it; stronger than that.",
        "device": "A device by name; stronger than `viewport`.",
        "format": (
            "Kind of file; `jpg` is `jpeg`. `pdf` is the whole page as a printer gets it, on upright A4 without "
            "margins, with backgrounds; for other paper, use `outputs`."
        ),
        "quality": "Of `jpeg` and `webp`; means nothing for the others.",
        "fullPage": "The whole page, not just the window.",
        "fullPageMode": "How a page is taken that scrolling changes: section by section, or at once.",
        "scrollInterval": "How many milliseconds to pause at each section, in either mode; less when time is short.",
        "maxSections": "A full page ends after so many window heights, in either mode.",
        "maxHeight": "A full page ends here, in CSS pixels.",
        "freezeFixed": "`stitch` shows fixed and sticky elements once; false: in every section.",
        "selector": (
            "Take only the first element that matches this CSS selector, wherever on the page it is, also as `pdf`; "
            "stronger than `fullPage`."
        ),
        "hideSelectors": "Elements that are not shown (`display: none`).",
        "customCss": "A style sheet of yours, added last; a page's content security policy cannot refuse it.",
        "darkMode": "The page is told that the reader prefers dark colours.",
        "waitUntil": (
            "The milestone to wait for. After `commit` and `domcontentloaded` the load event still has up to 3 s."
        ),
        "waitFor": "Wait for an element that matches this CSS selector.",
        "delay": "Wait so many milliseconds before the picture.",
        "timeout": "How many milliseconds the page may take, `delay` not counted.",
        "blockAds": "No advertisements and trackers.",
        "blockCookieBanners": "No cookie banners: they are answered, or hidden.",
        "blockPopups": "No pop-ups, newsletter boxes and chat windows.",
        "blockLevel": "How many hosts are refused altogether.",
        "stealthMode": "Look less like an automated browser.",
        "stealth": "`stealthMode`, as some callers write it; either is enough.",
        "actions": "What to do on the page before the picture.",
        "session": "Cookies, headers and storage that the page finds.",
        "outputs": "Several results of one load of the page.",
        "responseType": "The file itself, or JSON with the file in it. `URL` and `JSON` are refused for now.",
        "failOnHttpError": (
            "No picture of a page that answers with a 4xx or 5xx status: 422 `http_error`. The box's own field."
        ),
        "shareRendering": (
            "Equal requests of this key that are in flight at the same time, and all ask for this, share one "
            "rendering. The box's own field."
        ),
        "settle": (
            "Wait until the page has come to rest, at most 5 s. `false` takes it as soon as the document, its fonts "
            "and its pictures are there. The box's own field."
        ),
        "webhookUrl": "Whom to tell.",
        "webhookSecret": "What to sign with.",
    },
    "ViewportConfig": {
        "width": "Its width.",
        "height": "Its height.",
        "deviceScaleFactor": "Device pixels to a CSS pixel.",
    },
    "ClickAction": _ACTION
    | {
        "selector": (
            "Click this element; the box waits until it is visible, still and uncovered. With a touch device it is a "
            "tap."
        ),
    },
    "TypeAction": _ACTION
    | {
        "selector": "Type into this field.",
        "text": "What to type; a line break is Enter.",
        "clear": "Empty the field first.",
    },
    "PressAction": _ACTION
    | {
        "key": (
            "One character, or `Enter`, `Tab`, `Escape`, `Backspace`, `ArrowDown`, ..., after `Control+`, `Shift+`, "
            "`Alt+` or `Meta+` if you like."
        ),
        "selector": "The element that gets the key; without it, whatever has the focus.",
    },
    "HoverAction": _ACTION
    | {
        "selector": "Put the pointer over this element.",
    },
    "SelectAction": _ACTION
    | {
        "selector": "A select box.",
        "value": "The value or the text of the option to choose.",
    },
    "ScrollAction": _ACTION
    | {
        "selector": "Scroll until this element is in the middle.",
        "y": "Scroll by so many CSS pixels.",
        "toBottom": "Scroll to the end of the page.",
    },
    "WaitAction": _ACTION
    | {
        "ms": "Wait so many milliseconds.",
        "selector": "Wait for this element.",
        "networkIdle": "Wait until the network is quiet.",
    },
    "ScreenshotOutputSpec": _OUTPUT
    | {
        "format": "Kind of picture.",
        "quality": "Of `jpeg` and `webp`.",
        "fullPage": "The whole page.",
        "selector": "Only this element.",
    },
    "PdfOutputSpec": _OUTPUT
    | {
        "format": "The paper.",
        "landscape": "The paper lies on its side.",
        "printBackground": "With background colours and pictures.",
    },
    "HtmlOutputSpec": _OUTPUT
    | {
        "clean": "The source of the page as it is now, without scripts, styles and comments; false: with them.",
        "mainContentOnly": "Only the text that the page is about.",
    },
    "MarkdownOutputSpec": _OUTPUT
    | {
        "mainContentOnly": "Only the text that the page is about; false: all of it.",
    },
    "JsonOutputSpec": _OUTPUT
    | {
        "schema": "What to take out of the page, by name.",
    },
    "JsonFieldSpec": {
        "selector": "The element.",
        "type": "What to take of it.",
        "attribute": "Which attribute; it is enough to name it.",
        "multiple": "A list of all that match, not the first.",
    },
    "BrowserSessionRequest": {
        "cookies": "Cookies that are there before the page is asked for.",
        "headers": "Headers of the page's requests.",
        "storage": "Web storage that is there before the first script runs.",
    },
    "BrowserCookieRequest": {
        "name": "No `=`, `;` or control characters.",
        "value": "No `;` or control characters.",
        "domain": "Whose cookie it is; without it, the host of `url` alone.",
        "path": "Where on the host.",
        "expires": "Unix seconds; none and -1 are a cookie without an end.",
        "httpOnly": "Scripts do not see it.",
        "secure": "For https only.",
        "sameSite": "`no_restriction` is `none`, `unspecified` as good as nothing.",
    },
    "BrowserHeaderRequest": {
        "name": (
            "Not one of the connection: `Host`, `Content-Length`, `Transfer-Encoding`, `Connection`, `Keep-Alive`, "
            "`TE`, `Trailer`, `Upgrade`, `Proxy-...`."
        ),
        "value": "One line.",
        "origin": "Like `https://example.com`, no path; which origin gets it. Without it, that of `url` alone.",
    },
    "BrowserStorageOriginRequest": {
        "origin": "Like `https://example.com`, no path.",
        "localStorage": "Names and values.",
        "sessionStorage": "Names and values.",
    },
    "ScreenshotJsonResponse": {
        "url": "The page that was asked for.",
        "format": "`png`, `jpeg`, `webp` or `pdf`.",
        "contentType": "The media type of the file.",
        "width": "Device pixels; of a PDF, the width of the window.",
        "height": "Device pixels; null for a PDF.",
        "size": "Bytes of the file.",
        "renderTimeMs": "How many milliseconds its turn took.",
        "cached": "Always false: the box keeps no pictures.",
        "resultUrl": "Always null: results are not stored.",
        "storageUrl": "Always null: results are not stored.",
        "expiresAt": "Always null: results are not stored.",
        "encoding": "How `data` is written: `base64`.",
        "data": "The file.",
    },
    "OutputResponse": {
        "type": "The type of the output, as it was asked for.",
        "contentType": "The media type of the file.",
        "size": "Bytes of the file or text.",
        "encoding": "How `data` is written: `base64` for pictures and PDFs, `utf-8` for a text, `json` for an object.",
        "width": "Device pixels of a picture; otherwise null.",
        "height": "Device pixels of a picture; otherwise null.",
        "data": "The file, the text or the object.",
    },
    "MultiOutputResponse": {
        "url": "The page that was asked for.",
        "renderTimeMs": "How many milliseconds its turn took.",
        "outputs": "The outputs by `id`, in the order of the request.",
    },
    "ErrorResponse": {
        "error": "What went wrong.",
        "requestId": "The name of the request in the box's log.",
    },
    "ErrorDetail": {
        "code": "The error code, in upper case.",
        "message": "What is wrong, for whoever sent the request.",
        "details": "`fields`: what is wrong with each field, by its path; or null.",
        "documentationUrl": "Not used.",
    },
    "FlatErrorResponse": {
        "error": "The error code.",
        "message": "What is wrong, for whoever sent the request.",
        "requestId": "The name of the request in the box's log.",
        "statusCode": "The status of the answer.",
        "errorCode": "The error code, in upper case; with `rate_limited`, `RATE_LIMIT_EXCEEDED`.",
        "code": "The same as `errorCode`.",
        "errors": "What is wrong with each field, by its path; with a 400 that is about fields.",
        "validationErrors": "The same as `errors`.",
        "retryAfter": "Seconds to wait before you try again; with `rate_limited`.",
        "resetsAt": "When the next month begins; with `quota_exceeded`.",
        "setting": "What the operator can change to allow it; with `target_not_allowed` and `forbidden`.",
    },
    "UnauthorizedResponse": {
        "error": "Always `unauthorized`.",
        "message": "Always the same, so that nobody learns which keys exist.",
    },
    "UsageResponse": {
        "organization": "Whom the key belongs to.",
        "tier": "The key's plan.",
        "credits": "What the key may still take this month.",
        "currentPeriod": "The organization this month.",
        "quota": "The key's quotas; null for version 1 of the Swift library, which could not read them.",
        "history": "The last 12 months before this one that had any, newest first.",
        "totals": "The organization since its first key, those that were pruned left out.",
    },
    "UsageOrganizationResponse": {
        "id": "The name of the organization.",
        "name": "The same.",
    },
    "CreditBalanceResponse": {
        "allowanceType": "Always `MONTHLY`.",
        "balance": "The screenshots that the key may still take; 2147483647 without a quota.",
        "resetsAt": "When it may take all again.",
    },
    "PeriodUsageResponse": {
        "periodStart": "The first moment of the month, UTC.",
        "periodEnd": "The first moment after it.",
        "screenshotsCount": "Screenshots; several outputs of one load are one, failures are none.",
        "bandwidthBytes": "Bytes of results, before BASE64.",
        "bandwidthFormatted": "The same for people: `1.5 MB`.",
    },
    "TotalsResponse": {
        "screenshotsCount": "Screenshots; several outputs of one load are one, failures are none.",
        "bandwidthBytes": "Bytes of results, before BASE64.",
        "bandwidthFormatted": "The same for people: `1.5 MB`.",
    },
    "QuotaResponse": {
        "screenshots": "Screenshots of the month.",
        "bandwidth": "Bytes of the month.",
        "monthlyLimit": "`screenshots.limit`, as older clients call it.",
        "monthlyBandwidthBytes": "`bandwidth.limitBytes`, as older clients call it.",
        "monthlyBandwidthFormatted": "`bandwidth.limitFormatted`, as older clients call it.",
        "screenshotsLimit": "`screenshots.limit`, as older clients call it.",
        "bandwidthLimitBytes": "`bandwidth.limitBytes`, as older clients call it.",
        "bandwidthLimit": "`bandwidth.limitBytes`, as another one calls it.",
        "bandwidthFormatted": "`bandwidth.limitFormatted`, as that one calls it.",
    },
    "QuotaDetailResponse": {
        "limit": "What the key may use in a month; 2147483647 without a quota.",
        "used": "What it has used.",
        "remaining": "What is left; 2147483647 without a quota.",
        "percentUsed": "0 to 100; 0 without a quota.",
    },
    "BandwidthQuotaResponse": {
        "limitBytes": "What the key may use in a month; 2147483647 without a quota.",
        "limitFormatted": "The same for people; `unlimited` without a quota.",
        "usedBytes": "What it has used.",
        "usedFormatted": "The same for people.",
        "remainingBytes": "What is left; 2147483647 without a quota.",
        "remainingFormatted": "The same for people; `unlimited` without a quota.",
        "percentUsed": "0 to 100; 0 without a quota.",
    },
    "QuotaStatusResponse": {
        "tier": "The key's plan.",
        "screenshots": "Screenshots of the month.",
        "bandwidth": "Bytes of the month.",
        "periodEnds": "The first moment of the next month, UTC.",
    },
    "ApiKeyUsageResponse": {
        "periodStart": "The first moment of this month, UTC.",
        "periodEnd": "The first moment of the next one.",
        "keys": "The organization's keys, those too that no longer work.",
    },
    "ApiKeyUsageDetail": {
        "apiKeyId": "What `apiKeyIds` of `/v1/usage/activity` takes.",
        "keyPrefix": "The first 12 characters of the key.",
        "name": "What the operator called it.",
        "currentPeriod": "This month.",
        "totals": "Since it was made.",
    },
    "CaptureUsageCounts": {
        "screenshotsCount": "Screenshots; several outputs of one load are one, failures are none.",
        "bandwidthBytes": "Bytes of results, before BASE64.",
    },
    "DailyCaptureCountResponse": {
        "date": "The day, UTC, as `2026-11-25`.",
        "count": "Its screenshots.",
    },
}

PARAMETERS = {
    "days": "How many days, today included.",
    "apiKeyIds": (
        "Only these keys: `apiKeyIds=1&apiKeyIds=2`, or `apiKeyIds=1,2`. Ids are those of `/v1/usage/keys`; one of "
        "another organization, or of nobody, is 401."
    ),
}
