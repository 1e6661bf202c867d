package standin

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every row is what curl sends: the stand-in must do the same.
func TestCurlSendsTheRequest(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"secret": "s e+c&r\n", "lines": "a=1\r\nb=2\n", "options": "oauth2-bearer = \"a.b-c_d\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const form = "Content-Type: application/x-www-form-urlencoded"
	for _, test := range []struct {
		stdin string
		args  string // separated by |
		line  string
		body  string
		has   []string
	}{
		{"", "%URL%", "GET / HTTP/1.1", "", []string{"Accept: */*", "Host: %HOST%"}},
		{"", "%URL%/contacts?a=b", "GET /contacts?a=b HTTP/1.1", "", nil},
		{"", "-u|web:se:cret é|%URL%/token", "GET /token HTTP/1.1", "", []string{"Authorization: Basic d2ViOnNlOmNyZXQgw6k="}},
		{"", "-d|a=1&b=2|-d|c=d e|%URL%/token", "POST /token HTTP/1.1", "a=1&b=2&c=d e", []string{form, "Content-Length: 13"}},
		{"", "-da=1|%URL%/token", "POST /token HTTP/1.1", "a=1", nil},
		{"", "-d||%URL%/token", "POST /token HTTP/1.1", "", []string{form, "Content-Length: 0"}},
		{"", "-d|@lines|%URL%/token", "POST /token HTTP/1.1", "a=1b=2", nil},
		{"", "--data-urlencode|password=a b+c&d=é@~*|--data-urlencode|=x=y|%URL%/t", "POST /t HTTP/1.1", "password=a+b%2Bc%26d%3D%C3%A9%40~%2A&x%3Dy", nil},
		{"", "--data-urlencode|plain text|%URL%/t", "POST /t HTTP/1.1", "plain+text", nil},
		{"", "--data-urlencode|secret@secret|%URL%/t", "POST /t HTTP/1.1", "secret=s+e%2Bc%26r%0A", nil},
		{"typed\n", "--data-urlencode|password@-|-d|a=1|%URL%/t", "POST /t HTTP/1.1", "password=typed%0A&a=1", nil},
		{"X-Secret: from a pipe\n", "-H|@-|%URL%/t", "GET /t HTTP/1.1", "", []string{"X-Secret: from a pipe"}},
		{"", "--config|options|%URL%", "GET / HTTP/1.1", "", []string{"Authorization: Bearer a.b-c_d"}},
		{"", "-H|X_User: mallory|-H|x-user: mallory|-H|X-Two: 1|-H|X-Two: 2|%URL%", "GET / HTTP/1.1", "",
			[]string{"X_User: mallory", "x-user: mallory", "X-Two: 1", "X-Two: 2"}},
		{"", "-H|Host: api.example.com|-H|Accept: text/html|%URL%", "GET / HTTP/1.1", "", []string{"Host: api.example.com", "Accept: text/html"}},
		{"", "-H|Content-Type: application/json|-d|{}|%URL%", "POST / HTTP/1.1", "{}", []string{"Content-Type: application/json"}},
		{"", "-X|OPTIONS|-H|Origin: http://localhost:3000|%URL%/token", "OPTIONS /token HTTP/1.1", "", []string{"Origin: http://localhost:3000"}},
		{"", "-XPUT|-d|a|%URL%", "PUT / HTTP/1.1", "a", nil},
		{"", "--silent|--show-error|--noproxy|*|--user|a:b|--data|c|--max-time|30|%URL%", "POST / HTTP/1.1", "c", []string{"Authorization: Basic YTpi"}},
	} {
		server := answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		args := server.args(test.args)
		run(t, dir, test.stdin, 0, args)
		head, body, _ := strings.Cut(<-server.request, "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		body = strings.ReplaceAll(body, "%20", "+") // versions of curl differ
		if lines[0] != test.line || body != test.body {
			t.Errorf("%q sends %q with %q", args, lines[0], body)
		}
		for _, header := range test.has {
			name, _, _ := strings.Cut(header, ":")
			if !slices.Contains(lines, server.fill(header)) {
				t.Errorf("%q does not send %s in %q", args, header, lines)
			}
			if n := strings.Count("\r\n"+head, "\r\n"+name+":"); n != 1 && name != "X-Two" {
				t.Errorf("%q sends %s %d times", args, name, n)
			}
		}
	}
}

func TestCurlPrintsTheAnswer(t *testing.T) {
	const head = "HTTP/1.1 400 Bad Request\r\nx-b: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\n"
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1\r\n\n\r\n0\r\n\r\n"
	for _, test := range []struct {
		answer, args string
		code         int
		want         string
	}{
		{head + "{}", "%URL%", 0, "{}"},
		{head + "{}", "-i|%URL%", 0, head + "{}"},
		{head + "{}", "-si|%URL%", 0, head + "{}"},
		{head + "{}", "-s|-o|/dev/null|-w|%{http_code}|%URL%", 0, "400"},
		{head + "{}", `-sS|-w|\n%{http_code}|%URL%`, 0, "{}\n400"},
		{head + "{}", "-f|%URL%", 22, ""},
		{head + "{}", "-sS|--fail-with-body|%URL%", 22, "{}"},
		{chunked, "-sS|--fail-with-body|%URL%", 0, "{}\n"},
		{"", "-s|%URL%", 52, ""},
	} {
		server := answer(t, test.answer)
		args := server.args(test.args)
		if got := run(t, t.TempDir(), "", test.code, args); got != test.want {
			t.Errorf("%q prints %q, want %q", args, got, test.want)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close() // so that no one listens there
	if got := run(t, t.TempDir(), "", 7, []string{"-sS", "-w", `\n%{http_code}`, "http://" + listener.Addr().String()}); got != "\n000" {
		t.Errorf("without a server it prints %q", got)
	}
}

// A name below localhost is this machine, whatever resolves other names.
func TestCurlKnowsLocalhost(t *testing.T) {
	for _, host := range []string{"localhost", "calendar.localhost"} {
		server := answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		_, port, _ := net.SplitHostPort(server.host)
		if got := run(t, t.TempDir(), "", 0, []string{"-s", "http://" + host + ":" + port + "/"}); got != "{}" {
			t.Errorf("%s: got %q", host, got)
		}
	}
}

// A stand-in that guessed would let a test pass that curl fails.
func TestAStandInRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{{"--frobnicate", "http://127.0.0.1"}, {"-sZQ", "http://127.0.0.1"}, {"http://127.0.0.1", "http://127.0.0.2"}} {
		var stderr bytes.Buffer
		if code := curl(stdio{nil, io.Discard, &stderr}, args); code != 2 || !strings.Contains(stderr.String(), "internal/standin lacks") {
			t.Errorf("curl %q: code %d: %s", args, code, stderr.String())
		}
	}
	for _, args := range [][]string{{"-x", "file", "user"}, {"-B", "file", "user"}, {"-b", "file", "user"}, {"-nbB", "user", "not recorded"}, {"-nbB", "user", "p", "more"}} {
		var stderr bytes.Buffer
		if code := htpasswd(stdio{nil, io.Discard, &stderr}, args); code != 2 || !strings.Contains(stderr.String(), "internal/standin lacks") {
			t.Errorf("htpasswd %q: code %d: %s", args, code, stderr.String())
		}
	}
}

// server takes one request, and answers with the bytes that it is given.
type server struct {
	host    string
	request chan string
}

func answer(t *testing.T, answer string) server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s := server{listener.Addr().String(), make(chan string, 1)}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var raw bytes.Buffer
		request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &raw)))
		if err == nil {
			_, err = io.Copy(io.Discard, request.Body)
		}
		if err != nil {
			s.request <- fmt.Sprintf("not a request: %v: %q", err, raw.String())
			return
		}
		s.request <- raw.String()
		_, _ = io.WriteString(conn, answer)
	}()
	return s
}

func (s server) fill(text string) string {
	return strings.NewReplacer("%URL%", "http://"+s.host, "%HOST%", s.host).Replace(text)
}

func (s server) args(text string) []string { return strings.Split(s.fill(text), "|") }

// run runs curl, which must end with that code, and returns what it printed.
func run(t *testing.T, dir, stdin string, code int, args []string) string {
	t.Helper()
	cmd := exec.Command(Path(t, "curl"), args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != code {
		t.Errorf("curl %q: %v\n%s", args, err, stderr.String())
	}
	return string(output)
}
