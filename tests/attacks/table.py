"""All attacks. Their numbers follow their order here, so a new one goes to the end of its table."""

from tests.attacks import pages, urls

PAGES = [*pages.MARKUP, *pages.HINTS, *pages.SCRIPTS, *pages.NAVIGATIONS, *pages.CALLERS, *urls.NAMES, *urls.ABOVE]
URLS = [*urls.SPELLED, *urls.ADDRESSES, *urls.SCHEMES, *urls.REDIRECTS]
CASES = [*PAGES, *URLS]
