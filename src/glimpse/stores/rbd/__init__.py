"""Images in Ceph, as block devices that Nova and Cinder clone without copying."""
