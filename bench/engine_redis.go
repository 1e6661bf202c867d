package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

func redisProgram() (string, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", fmt.Errorf("redis-server is needed: apt-get install redis-server: %w", err)
	}
	return path, nil
}

// startRedis starts a Redis without snapshots, and with an append-only file that is
// synced before each answer, or without one.
func startRedis(ctx context.Context, b *bench, program string, durable bool) (*engine, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	e := &engine{name: "redis, appendfsync always", id: "redis-always"}
	options := []string{"--appendonly", "yes", "--appendfsync", "always"}
	if !durable {
		e.name, e.id, options = "redis, no append-only file", "redis-memory", []string{"--appendonly", "no"}
	}
	e.sessions = "sessions redis redis://" + address
	dir := b.path(e.id)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	options = append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", ""}, options...)
	p := &process{name: e.name, address: address, cmd: exec.Command(program, options...)}
	if err := p.launch(b, b.cores.load); err != nil {
		return nil, err
	}
	e.stop = p.stop
	e.cpu = func() (time.Duration, error) { return cpuTime(p.pid()) }
	e.count = func(ctx context.Context, during func() error) (uint64, error) { return monitored(ctx, address, during) }
	err = p.await(ctx, func() bool {
		answer, err := askRedis(ctx, address, "PING")
		return err == nil && answer == "+PONG"
	})
	if err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

// askRedis sends a command without arguments that need quotes, and returns the first line
// of the answer.
func askRedis(ctx context.Context, address, command string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

// monitored counts what clients send to Redis while something is done: its MONITOR tells
// each command, and which ones are those of a script, which do not count here.
func monitored(ctx context.Context, address string, during func() error) (uint64, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
		return 0, err
	}
	lines := bufio.NewReader(conn)
	if first, err := lines.ReadString('\n'); err != nil || strings.TrimSpace(first) != "+OK" {
		return 0, fmt.Errorf("MONITOR answers %.100q, error %v", first, err)
	}
	const end = "end-of-bench"
	type counted struct {
		commands uint64
		err      error
	}
	done := make(chan counted, 1)
	go func() {
		var c counted
		for {
			line, err := lines.ReadString('\n')
			if err != nil || strings.Contains(line, end) {
				c.err = err
				done <- c
				return
			}
			if !byScript(line) {
				c.commands++
			}
		}
	}()
	if err := during(); err != nil {
		return 0, err
	}
	if answer, err := askRedis(ctx, address, "ECHO "+end); err != nil || !strings.HasPrefix(answer, "$") {
		return 0, fmt.Errorf("ECHO answers %.100q, error %v", answer, err)
	}
	c := <-done
	return c.commands, c.err
}

// byScript says whether a line of MONITOR, such as
//
//	+1780000000.123456 [0 lua] "hget" "key" "field"
//
// is a command of a script.
func byScript(line string) bool {
	_, rest, _ := strings.Cut(line, "[")
	source, _, _ := strings.Cut(rest, "]")
	return strings.HasSuffix(source, " lua")
}
