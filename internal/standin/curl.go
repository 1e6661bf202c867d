package standin

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// curlCommand is a command line of curl.
type curlCommand struct {
	method, url, user, output, writeOut string
	data                                []string
	hasData                             bool
	headers                             [][2]string
	include, silent, showError          bool
	fail, failWithBody                  bool
}

// errCurl is what a curl ends with.
type errCurl struct {
	code int
	text string
}

func (e errCurl) Error() string { return fmt.Sprintf("curl: (%d) %s", e.code, e.text) }

func parseCurl(s stdio, args []string) (c curlCommand, err error) {
	flags := pflag.NewFlagSet("curl", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVarP(&c.include, "include", "i", false, "")
	flags.BoolVarP(&c.silent, "silent", "s", false, "")
	flags.BoolVarP(&c.showError, "show-error", "S", false, "")
	flags.BoolVarP(&c.fail, "fail", "f", false, "")
	flags.BoolVar(&c.failWithBody, "fail-with-body", false, "")
	flags.StringVarP(&c.method, "request", "X", "", "")
	flags.StringVarP(&c.user, "user", "u", "", "")
	flags.StringVarP(&c.output, "output", "o", "", "")
	flags.StringVarP(&c.writeOut, "write-out", "w", "", "")
	flags.String("noproxy", "", "")  // it knows no proxy
	flags.String("max-time", "", "") // the tests have a deadline
	add := func(piece func(stdio, string) (string, error)) func(string) error {
		return func(value string) error {
			text, err := piece(s, value)
			c.data, c.hasData = append(c.data, text), true
			return err
		}
	}
	flags.FuncP("data", "d", "", add(asIs))
	flags.Func("data-urlencode", "", add(urlencoded))
	flags.FuncP("config", "K", "", func(value string) error { return c.addConfig(s, value) })
	flags.FuncP("header", "H", "", func(value string) error { return c.addHeaders(s, value) })
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() != 1 {
		return c, fmt.Errorf("a command line with %d URLs", flags.NArg())
	}
	c.url = flags.Arg(0)
	return c, nil
}

// addHeaders takes a header, or a file of headers behind an @.
func (c *curlCommand) addHeaders(s stdio, value string) error {
	if file, from := strings.CutPrefix(value, "@"); from {
		var err error
		if value, err = read(s, file); err != nil {
			return err
		}
	}
	for line := range strings.Lines(value) {
		if name, text, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); found {
			c.headers = append(c.headers, [2]string{name, strings.TrimSpace(text)})
		}
	}
	return nil
}

// addConfig takes a Bearer token from a file of options.
func (c *curlCommand) addConfig(s stdio, file string) error {
	content, err := read(s, file)
	if err != nil {
		return err
	}
	for line := range strings.Lines(content) {
		token, found := strings.CutPrefix(strings.TrimSpace(line), `oauth2-bearer = "`)
		if !found {
			return fmt.Errorf("an option in %s", file)
		}
		c.headers = append(c.headers, [2]string{"Authorization", "Bearer " + strings.TrimSuffix(token, `"`)})
	}
	return nil
}

// asIs is what -d adds to the form.
func asIs(s stdio, value string) (string, error) {
	file, from := strings.CutPrefix(value, "@")
	if !from {
		return value, nil
	}
	content, err := read(s, file)
	return strings.NewReplacer("\r", "", "\n", "").Replace(content), err
}

// urlencoded is what --data-urlencode adds to the form: of content, =content,
// name=content, @file or name@file.
func urlencoded(s stdio, value string) (string, error) {
	name, content, found := strings.Cut(value, "=")
	if !found {
		var file string
		if name, file, found = strings.Cut(value, "@"); found {
			var err error
			if content, err = read(s, file); err != nil {
				return "", err
			}
		} else {
			name, content = "", value
		}
	}
	if name != "" {
		name += "="
	}
	return name + url.QueryEscape(content), nil
}

// read reads a file, or standard input for "-".
func read(s stdio, file string) (string, error) {
	var content []byte
	var err error
	if file == "-" {
		content, err = io.ReadAll(s.in)
	} else {
		content, err = os.ReadFile(file)
	}
	if err != nil {
		return "", errCurl{26, err.Error()}
	}
	return string(content), nil
}

func curl(s stdio, args []string) int {
	c, err := parseCurl(s, args)
	status := 0
	if err == nil {
		status, err = c.run(s)
	} else if _, ok := errors.AsType[errCurl](err); !ok {
		return unknown(s, "curl", "%v", err)
	}
	if c.writeOut != "" {
		fmt.Fprint(s.out, strings.NewReplacer("%{http_code}", fmt.Sprintf("%03d", status), `\n`, "\n", "%%", "%").Replace(c.writeOut))
	}
	if err == nil {
		return 0
	}
	if !c.silent || c.showError {
		fmt.Fprintln(s.err, err)
	}
	if failure, ok := errors.AsType[errCurl](err); ok {
		return failure.code
	}
	return 56
}

// run sends the request and prints the answer.
func (c *curlCommand) run(s stdio) (status int, err error) {
	request, err := c.request()
	if err != nil {
		return 0, err
	}
	conn, err := dial(request.URL)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := request.Write(conn); err != nil {
		return 0, errCurl{55, err.Error()}
	}
	var raw bytes.Buffer // what was received, as it is
	response, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), request)
	if err != nil {
		return 0, errCurl{52, "Empty reply from server"}
	}
	header, _, _ := strings.Cut(raw.String(), "\r\n\r\n")
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, errCurl{18, err.Error()}
	}

	failed := response.StatusCode >= 400 && (c.fail || c.failWithBody)
	var printed bytes.Buffer
	if c.include {
		printed.WriteString(header + "\r\n\r\n")
	}
	if !failed || c.failWithBody {
		printed.Write(body)
	}
	if c.output != "" {
		err = os.WriteFile(c.output, printed.Bytes(), 0o666)
	} else {
		_, err = printed.WriteTo(s.out)
	}
	if err != nil {
		return response.StatusCode, errCurl{23, err.Error()}
	}
	if failed {
		return response.StatusCode, errCurl{22, fmt.Sprint("The requested URL returned error: ", response.StatusCode)}
	}
	return response.StatusCode, nil
}

func (c *curlCommand) request() (*http.Request, error) {
	method := "GET"
	var body io.Reader
	if c.hasData {
		method, body = "POST", strings.NewReader(strings.Join(c.data, "&"))
	}
	target := c.url
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	request, err := http.NewRequest(cmp.Or(c.method, method), target, body)
	if err != nil {
		return nil, errCurl{3, err.Error()}
	}
	request.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"curl"}}
	if c.hasData {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.user != "" {
		name, password, _ := strings.Cut(c.user, ":")
		request.SetBasicAuth(name, password)
	}
	given := make(map[string]bool) // by -H, which comes instead of curl's own
	for _, header := range c.headers {
		name, value := header[0], header[1]
		if strings.EqualFold(name, "Host") {
			request.Host = value
			continue
		}
		if key := http.CanonicalHeaderKey(name); !given[key] {
			request.Header.Del(name)
			given[key] = true
		}
		if value != "" {
			request.Header[name] = append(request.Header[name], value) // spelt as it is
		}
	}
	return request, nil
}

// dial connects to where the URL says. As in curl, localhost is this machine.
func dial(u *url.URL) (net.Conn, error) {
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	if port == "" {
		return nil, errCurl{1, "Protocol " + u.Scheme + " not supported"}
	}
	hosts := []string{u.Hostname()}
	if hosts[0] == "localhost" || strings.HasSuffix(hosts[0], ".localhost") {
		hosts = []string{"127.0.0.1", "::1"}
	}
	for _, host := range hosts {
		conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			continue
		}
		if u.Scheme == "https" {
			return tls.Client(conn, &tls.Config{ServerName: u.Hostname()}), nil
		}
		return conn, nil
	}
	return nil, errCurl{7, "Failed to connect to " + u.Host}
}
