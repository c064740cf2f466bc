package main

import "encoding/binary"

const (
	leafVendor, leafFeatures = 0, 1
	leafHypervisor           = 0x40000000
	bitHypervisor            = 1 << 31
)

// cpuid is the instruction of that name.
func cpuid(leaf, subleaf uint32) (a, b, c, d uint32)

// processor is the maker of the processor and the name of the hypervisor, empty when there is none.
func processor() (vendor, hypervisor string) {
	_, b, c, d := cpuid(leafVendor, 0)
	vendor = letters(b, d, c)
	if _, _, features, _ := cpuid(leafFeatures, 0); features&bitHypervisor != 0 {
		_, b, c, d = cpuid(leafHypervisor, 0)
		hypervisor = letters(b, c, d)
	}
	return vendor, hypervisor
}

func letters(words ...uint32) string {
	out := []byte{}
	for _, word := range words {
		for _, each := range binary.LittleEndian.AppendUint32(nil, word) {
			if each >= ' ' && each <= '~' {
				out = append(out, each)
			}
		}
	}
	return string(out)
}
