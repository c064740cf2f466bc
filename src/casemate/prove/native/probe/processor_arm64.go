package main

// processor is unknown here: user space cannot ask an Arm processor for its hypervisor.
func processor() (vendor, hypervisor string) {
	return "", ""
}
