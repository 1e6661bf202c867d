package clienttools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// javaProgram is around the recipe of Java, which is the body of a method.
const javaProgram = `import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;

class Login {
	static String read(String file) throws IOException {
		return Files.readString(Path.of(file));
	}

	public static void main(String[] args) throws Exception {
RECIPE
	}
}
`

func TestJavaLogsIn(t *testing.T) {
	need(t, "java")
	s := startSite(t, long)
	short(t, "java-login")
	source := strings.Replace(javaProgram, "RECIPE", recipe(t, "java-login", "https://api.example.com", origin(s)), 1)
	run := func(typing string) (string, error) { return program(t, typing, source, nil, "java", "Login.java") }
	printed, err := run(password)
	var answer map[string]any
	if err != nil || json.Unmarshal([]byte(printed), &answer) != nil || answer["access_token"] == nil {
		t.Fatalf("%v: %s", err, printed)
	}
	if refused := s.Refusals(); len(refused) > 0 {
		t.Errorf("on the way it was refused: %v", refused)
	}
	refusedOnce(t, s, refused(t, "wrong", run))
	if printed, err := run(password); err == nil || !toldToWait.MatchString(printed) {
		t.Errorf("told to wait: %v: %s", err, printed)
	}
}

// Spring is not run: its settings are compared with what the server publishes.
func TestSettingsOfSpringAreTheServers(t *testing.T) {
	var settings struct {
		Spring struct {
			Security struct {
				OAuth2 struct {
					ResourceServer struct {
						JWT map[string]string
					}
				}
			}
		}
	}
	s := startVerifySite(t)
	if err := yaml.Unmarshal([]byte(recipe(t, "spring-resource-server", "https://api.example.com", origin(s))), &settings); err != nil {
		t.Fatal(err)
	}
	got := settings.Spring.Security.OAuth2.ResourceServer.JWT
	header, claims := s.Verified(s.Token("alice"), "/token")
	want := map[string]string{
		"jwk-set-uri":    s.URL("/token/jwks"),
		"jws-algorithms": fmt.Sprint(header["alg"]),
		"issuer-uri":     fmt.Sprint(claims["iss"]),
		"audiences":      strings.Trim(fmt.Sprint(claims["aud"]), "[]"),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the settings are %v, want %v", got, want)
	}
}
