"""The two forms of a moment, against the library's."""

from datetime import UTC, datetime
from email.utils import format_datetime

import hypothesis.strategies as st
from hypothesis import given

from davbridge.dav.headers.validators import http_date, internet_date

MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(moment=MOMENTS)
def test_http_s_form_is_the_library_s(moment: datetime) -> None:
    assert http_date(moment) == format_datetime(moment, usegmt=True)


@given(moment=MOMENTS)
def test_the_internet_s_form_is_the_library_s(moment: datetime) -> None:
    whole = moment.replace(microsecond=0, tzinfo=None)
    assert internet_date(moment) == f"{whole.isoformat()}Z"
