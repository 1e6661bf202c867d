package seldomlog

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestAKindIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		logger := zap.New(core)
		var seldom Log
		n := 0
		refuse := func(kind string, times int) {
			for range times {
				n++
				number := n
				seldom.Write(kind, func() func(...zap.Field) {
					return func(more ...zap.Field) { logger.Info(kind, append(more, zap.Int("number", number))...) }
				})
			}
		}
		want := func(lines ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for _, entry := range logs.TakeAll() {
				fields := entry.ContextMap()
				got = append(got, fmt.Sprint(entry.Message, " ", fields["number"], " ", fields["suppressed"]))
			}
			if fmt.Sprint(got) != fmt.Sprint(lines) {
				t.Fatalf("logged %q, want %q", got, lines)
			}
		}
		refuse("a", 1000)
		want("a 1 <nil>")
		refuse("b", 1) // another kind has its own
		want("b 1001 <nil>")
		time.Sleep(59 * time.Second)
		refuse("a", 1)
		want()
		time.Sleep(time.Second)
		want("a 2 999") // with how many others there were
		refuse("a", 5)
		want()
		time.Sleep(time.Minute)
		want("a 1003 4")
		time.Sleep(time.Minute)
		want() // nothing happened
		refuse("a", 2)
		want("a 1008 <nil>")
		seldom.End()
		time.Sleep(time.Hour)
		want()
	})
}
