"""Users of the running Keystone who call, with tokens of theirs."""

from collections.abc import Iterator
from contextlib import contextmanager

from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from glimpse.domain.caller import ON_BEHALF_OF, Caller


def caller(url: str, project: str, user: str) -> Caller:
    """A user with a token for a project."""
    domain = "default"
    auth = Password(
        url,
        username=user,
        password="secret",
        user_domain_id=domain,
        project_name=project,
        project_domain_id=domain,
    )
    # One Keystone serves all tests, one after the other.
    session = Session(auth, timeout=60)
    return Caller(project_id=session.get_project_id(), token=session.get_token(), user_id=user)


@contextmanager
def calling(who: Caller | None) -> Iterator[None]:
    """What is done meanwhile is done on behalf of somebody."""
    before = ON_BEHALF_OF.set(who)
    yield
    ON_BEHALF_OF.reset(before)
