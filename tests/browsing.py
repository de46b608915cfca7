"""Which browser tests of pages use, and how it is started."""

from __future__ import annotations

import shutil

from playwright.sync_api import expect

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# What Playwright turns off, as only the last such list holds; and a process in reserve for each page, which few need.
OFF = (
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,OptimizationHints,"
    "NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch,SpareRendererForSitePerProcess"
)
# Nothing but the page is asked for anything: without these the browser looks for updates by itself.
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    f"--disable-component-update --disable-sync --disable-features={OFF}"
)
expect.set_options(timeout=60_000)  # milliseconds; a page that a busy machine draws late is no fault of the page
