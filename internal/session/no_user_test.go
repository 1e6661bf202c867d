package session

import "testing"

// A client that acts for itself has a session without a subject. No notice about users
// is about it: not one of a user who has its name, not one without a name, and not one
// that is damaged.
func TestNoNoticeAboutUsersEndsASessionWithoutAUser(t *testing.T) {
	for _, of := range []string{"", "backup", "alice"} {
		for _, damaged := range []bool{false, true} {
			inBubble(t, func(t *testing.T) {
				a, _ := tellers(t)
				alone := Claims{ID: monthAhead(), Client: "backup"}
				told := a.tell(t, EndUser, of)
				n := a
				if damaged {
					put(t, a.storage.Storage, "notices/"+told.name(), "{")
					n = a.restart()
					must(t, n.ReadNotices(t.Context()))
				}
				n.wantEnded(t, alone, false)
				n.wantEnded(t, Claims{ID: alone.ID, Subject: "alice", Client: "backup"}, of == "alice")
			})
		}
	}
}

func TestANoticeAboutItsClientEndsASessionWithoutAUser(t *testing.T) {
	for _, damaged := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			a, _ := tellers(t)
			told := a.tell(t, EndClient, "backup")
			n := a
			if damaged {
				put(t, a.storage.Storage, "notices/"+told.name(), "")
				n = a.restart()
				must(t, n.ReadNotices(t.Context()))
			}
			n.wantEnded(t, Claims{ID: monthAhead(), Client: "backup"}, true)
			n.wantEnded(t, Claims{ID: monthAhead(), Subject: "backup", Client: "web"}, false)
			n.wantEnded(t, Claims{ID: monthAhead(), Client: "web"}, false)
		})
	}
}
