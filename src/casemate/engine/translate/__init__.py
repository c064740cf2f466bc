"""From a Pod to the messages of CRI, as a kubelet makes them. Everything here is pure: no file, socket or clock."""
