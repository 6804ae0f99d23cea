"""Nova's own download of an image, as its compute service does it.

Run as: program, Nova's configuration file, token, user, project, image, file.
"""

import sys

from nova import context, objects
from nova.conf import CONF
from nova.image import glance

configuration, token, user, project, image, file = sys.argv[1:]
CONF(["--config-file", configuration], project="nova")
objects.register_all()
caller = context.RequestContext(user_id=user, project_id=project, auth_token=token, service_catalog=[])
glance.API().download(caller, image, dest_path=file)
