package credential

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/throttle"
)

func at(address string) Sender {
	return Sender{Source: throttle.Address(netip.MustParseAddr(address)), Address: address}
}

// userWith tries a password, and returns the reason of the refusal.
func (c *Checker) userWith(t *testing.T, username, plaintext string, sender Sender) string {
	t.Helper()
	_, err := c.CheckUser(t.Context(), decoy, username, plaintext, sender)
	return reasonOf(err)
}

// clientThrottled tries a secret that is wrong, and says whether it was throttled.
func (c *Checker) clientThrottled(t *testing.T, id string, n int, or *ClientSecret) bool {
	t.Helper()
	_, err := c.CheckClient(t.Context(), decoy, ClientSecret{id, fmt.Sprint("wrong", n)}, or, at("192.0.2.1"))
	return reasonOf(err) == "throttled"
}

func TestAUserThatIsUnlockedCanLogIn(t *testing.T) {
	c, _ := newChecker(t, fileOf(t))
	for _, name := range []string{"alice", "mallory"} {
		for n := range 3 {
			c.userWith(t, name, fmt.Sprint("wrong", n), at("192.0.2.1"))
			c.userWith(t, name, fmt.Sprint("wrong", n), from("web"))
		}
	}
	if got := c.userWith(t, "alice", "alice", at("192.0.2.1")); got != "throttled" {
		t.Fatal(got)
	}
	if accounts, pairs, addresses := c.Waiting(); accounts != 0 || pairs != 4 || addresses != 0 {
		t.Errorf("%d accounts, %d pairs and %d addresses wait", accounts, pairs, addresses)
	}
	c.UnlockClient("alice", time.Second)
	c.UnlockUser("Alice", time.Second)
	if got := c.userWith(t, "alice", "alice", at("192.0.2.1")); got != "throttled" {
		t.Errorf("after others were unlocked: %q", got)
	}
	c.UnlockUser("alice", time.Second)
	for _, sender := range []Sender{at("192.0.2.1"), from("web")} {
		if got := c.userWith(t, "alice", "alice", sender); got != "" {
			t.Errorf("unlocked, and refused: %q", got)
		}
	}
	if got := c.userWith(t, "mallory", "alice", at("192.0.2.1")); got != "throttled" {
		t.Errorf("another user: %q", got)
	}
	c.UnlockUser("mallory", time.Second) // there is no such user
	if got := c.userWith(t, "mallory", "alice", at("192.0.2.1")); got != "unknown_user" {
		t.Errorf("an unknown user: %q", got)
	}
}

func TestAnAddressThatIsUnlockedMayTryAnyName(t *testing.T) {
	c, _ := newChecker(t, fileOf(t))
	for n := range 30 {
		c.userWith(t, fmt.Sprint("nobody", n), "wrong", at("192.0.2.1"))
	}
	if got := c.userWith(t, "alice", "alice", at("192.0.2.1")); got != "throttled" {
		t.Fatal(got)
	}
	c.UnlockUser("alice", time.Second)
	if got := c.userWith(t, "alice", "alice", at("192.0.2.1")); got != "throttled" {
		t.Errorf("the user was unlocked, not the address: %q", got)
	}
	c.UnlockAddress(netip.MustParseAddr("192.0.2.1"), time.Second)
	if got := c.userWith(t, "alice", "alice", at("192.0.2.1")); got != "" {
		t.Errorf("unlocked, and refused: %q", got)
	}
}

// An id with a + or % may reach the server escaped or not.
func TestAClientThatIsUnlockedMayAuthenticateInBothReadings(t *testing.T) {
	for _, ways := range [][2]string{{"web", ""}, {"a+b", ""}, {"a b", "a+b"}} {
		c, _ := newChecker(t, fileOf(t))
		id, or := ways[0], (*ClientSecret)(nil)
		if ways[1] != "" {
			id, or = ways[1], &ClientSecret{ways[1], "wrong"}
		}
		for n := range 3 {
			if c.clientThrottled(t, ways[0], n, or) {
				t.Fatalf("%q: guess %d", ways, n)
			}
		}
		c.UnlockUser(id, time.Second)
		c.UnlockClient("other", time.Second)
		if !c.clientThrottled(t, ways[0], 3, or) {
			t.Errorf("%q: not throttled", ways)
		}
		c.UnlockClient(id, time.Second)
		if c.clientThrottled(t, ways[0], 4, or) {
			t.Errorf("%q: unlocked, and throttled", ways)
		}
	}
}

func TestWithoutAThrottleThereIsNothingToUnlock(t *testing.T) {
	c, _ := newChecker(t, fileOf(t))
	c.Throttle = nil
	c.UnlockUser("alice", time.Second)
	c.UnlockClient("web", time.Second)
	c.UnlockAddress(netip.MustParseAddr("192.0.2.1"), time.Second)
	if accounts, pairs, addresses := c.Waiting(); accounts+pairs+addresses != 0 {
		t.Error("something waits")
	}
}
