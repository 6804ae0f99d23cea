"""How the image service is reached: by clouds.yaml and the `OS_*` variables, like all OpenStack clients."""

from dataclasses import dataclass

from keystoneauth1.exceptions import AuthPluginException, ClientException, Unauthorized

from glimpse.compute.images import ImageService
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid, Unauthenticated, Unavailable


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud that has been logged in to: its images, and who its user is to other services."""

    images: ImageService
    caller: Caller


def connect(name: str | None) -> Cloud:
    """The cloud of a name in clouds.yaml, or that which the `OS_*` variables describe.

    :raises Invalid: there is none, or something is missing. :raises Unauthenticated: it refuses the login.
    :raises Unavailable: openstacksdk is not installed, or the cloud does not answer.
    """
    try:
        import openstack
    except ImportError:
        raise Unavailable("library openstacksdk", "install it with: pip install glimpse[compute]") from None
    try:
        connection = openstack.connect(cloud=name, app_name="glimpse")
        session = connection.session
        caller = Caller(
            user_id=session.get_user_id(), project_id=session.get_project_id(), token=session.get_token()
        )
        return Cloud(ImageService(connection.image), caller)
    except Unauthorized:
        raise Unauthenticated("The identity service does not accept the credentials.") from None
    except (openstack.exceptions.ConfigException, AuthPluginException) as error:
        raise Invalid("cloud", str(error)) from None
    except ClientException as error:
        raise Unavailable("cloud", str(error)) from None
