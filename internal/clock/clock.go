package clock

import "time"

// Now is the time. Tests replace it.
var Now = time.Now
