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

// longOptions are the short ones by their long names, or by themselves.
var longOptions = map[string]string{
	"request": "X", "user": "u", "output": "o", "write-out": "w", "data": "d", "header": "H",
	"include": "i", "silent": "s", "show-error": "S", "fail": "f",
	"data-urlencode": "data-urlencode", "fail-with-body": "fail-with-body", "noproxy": "noproxy", "max-time": "max-time",
}

// errCurl is what a curl ends with.
type errCurl struct {
	code int
	text string
}

func (e errCurl) Error() string { return fmt.Sprintf("curl: (%d) %s", e.code, e.text) }

var errNoOption = errors.New("the option")

func parseCurl(s stdio, args []string) (c curlCommand, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		value := func(rest string) string {
			if rest == "" && len(args) > 0 {
				rest, args = args[0], args[1:]
			}
			return rest
		}
		if name, long := strings.CutPrefix(arg, "--"); long {
			option, known := longOptions[name]
			if !known {
				return c, fmt.Errorf("%w %s", errNoOption, arg)
			}
			if !c.flag(option) {
				err = c.set(s, option, value(""))
			}
		} else if options, short := strings.CutPrefix(arg, "-"); short && options != "" {
			for options != "" && err == nil {
				option := options[:1]
				options = options[1:]
				if !c.flag(option) {
					err = c.set(s, option, value(options))
					break
				}
			}
		} else if c.url == "" {
			c.url = arg
		} else {
			err = fmt.Errorf("%w of a second URL", errNoOption)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// flag is an option without a value.
func (c *curlCommand) flag(option string) bool {
	flag := map[string]*bool{"i": &c.include, "s": &c.silent, "S": &c.showError, "f": &c.fail, "fail-with-body": &c.failWithBody}[option]
	if flag != nil {
		*flag = true
	}
	return flag != nil
}

func (c *curlCommand) set(s stdio, option, value string) error {
	switch option {
	case "X":
		c.method = value
	case "u":
		c.user = value
	case "o":
		c.output = value
	case "w":
		c.writeOut = value
	case "noproxy", "max-time": // it knows no proxy, and the tests have a deadline
	case "d", "data-urlencode":
		piece, err := data(s, option, value)
		if err != nil {
			return err
		}
		c.data, c.hasData = append(c.data, piece), true
	case "H":
		lines := value
		if file, from := strings.CutPrefix(value, "@"); from {
			content, err := read(s, file)
			if err != nil {
				return err
			}
			lines = content
		}
		for line := range strings.Lines(lines) {
			if name, text, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); found {
				c.headers = append(c.headers, [2]string{name, strings.TrimSpace(text)})
			}
		}
	default:
		return fmt.Errorf("%w -%s", errNoOption, option)
	}
	return nil
}

// data is what an option adds to the form.
func data(s stdio, option, value string) (string, error) {
	if option == "d" {
		if file, from := strings.CutPrefix(value, "@"); from {
			content, err := read(s, file)
			return strings.NewReplacer("\r", "", "\n", "").Replace(content), err
		}
		return value, nil
	}
	// content, =content, name=content, @file and name@file
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
	if errors.Is(err, errNoOption) {
		return unknown(s, "curl", "%v", err)
	}
	status := 0
	if err == nil {
		status, err = c.run(s)
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
