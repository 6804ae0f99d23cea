"""A token of Keystone for the service's own account, that of [keystone_authtoken]."""

from keystoneauth1 import loading
from keystoneauth1.exceptions import ClientException
from oslo_config import cfg

from glimpse.domain.errors import Invalid, Unavailable

_GROUP = "keystone_authtoken"


class ServiceAccount:
    """The account; its token is kept until it is about to expire."""

    def __init__(self, config: cfg.ConfigOpts) -> None:
        """:raises Invalid: the options do not name an account."""
        loading.register_auth_conf_options(config, _GROUP)
        loading.register_session_conf_options(config, _GROUP)
        try:
            auth = loading.load_auth_from_conf_options(config, _GROUP)
            if auth is None:
                raise Invalid(_GROUP, "auth_type and the options of an account are needed")
            self._session = loading.load_session_from_conf_options(config, _GROUP, auth=auth)
        except (cfg.Error, ClientException, ValueError) as error:
            raise Invalid(_GROUP, str(error)) from None

    def token(self, *, renew: bool = False) -> str:
        """A token; a new one if the last was refused (`renew`). :raises Unavailable: Keystone gives none."""
        try:
            if renew:
                self._session.invalidate()
            return str(self._session.get_token())
        except ClientException as error:
            raise Unavailable("identity service", type(error).__name__) from error
