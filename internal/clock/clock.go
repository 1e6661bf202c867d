// Package clock is the time of the server.
package clock

import "time"

// Now is the time. Tests replace it.
var Now = time.Now
