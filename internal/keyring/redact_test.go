package keyring

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// printed is a value as all common ways print it.
func printed(t *testing.T, values ...any) string {
	t.Helper()
	var out bytes.Buffer
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	logger := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zapcore.DebugLevel))
	text := slog.New(slog.NewTextHandler(&out, nil))
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		b, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
		logger.Info("printed", zap.Any("any", value), zap.Reflect("reflect", value))
		logger.Sugar().Infof("%v", value)
		text.Info("printed", "value", value)
		fmt.Fprintln(&out, fmt.Errorf("wrapped %v", value))
	}
	return out.String()
}

func TestKeysAndSecretsPrintNothingPrivate(t *testing.T) {
	material := bytes.Repeat([]byte{0xa7}, 32) // 167
	leaks := []string{
		string(material[:4]), "167 167", "0xa7, 0xa7", "a7a7", "A7A7", `\xa7\xa7`,
		base64.StdEncoding.EncodeToString(material)[:12], base64.RawURLEncoding.EncodeToString(material)[:12],
		hex.EncodeToString(material)[:8],
	}
	k, err := NewHMACKey("HS256", material)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := NewRing("JWT", k)
	if err != nil {
		t.Fatal(err)
	}
	s := Secret{seal(material)}
	type holder struct {
		Key    *Key
		Value  Key
		Secret *Secret
		key    *Key // fmt calls no method on these
		value  Key
		secret Secret
	}
	h := holder{k, *k, &s, k, *k, s}

	out := printed(t, k, *k, generatedKey{Key: k}, []generatedKey{{Key: k}}, []*Key{k}, map[string]Key{"k": *k}, ring, &s, s, []Secret{s}, h, &h, *ring)
	for _, leak := range leaks {
		if strings.Contains(out, leak) {
			t.Errorf("%q is printed in\n%s", leak, out)
		}
	}
	for _, want := range []string{"HS256 key " + k.ID(), redactedSecret} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not printed in\n%s", want, out)
		}
	}
	if k.GoString() != k.String() || s.GoString() != s.String() {
		t.Error("GoString differs from String")
	}
}

func TestPrivateKeysPrintNothingPrivate(t *testing.T) {
	for _, a := range []Algorithm{"RS256", "ES256", "EdDSA"} {
		k := generate(t, a)
		out := printed(t, k, *k, struct{ K Key }{*k}, []Key{*k})
		if lines := strings.ReplaceAll(out, k.String(), ""); strings.Contains(lines, "0x") || len(lines) > 6000 {
			t.Errorf("%s: more than its name is printed:\n%s", a, out)
		}
	}
}
