//go:build !unix

package main

import "os/exec"

func notAsRoot(*exec.Cmd, string) error { return nil }
