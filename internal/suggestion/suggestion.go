// Package suggestion finds what was meant by a mistyped word.
package suggestion

// Nearest is the known word that is nearest to a mistyped one, or empty if none is
// near.
func Nearest(word string, known []string) string {
	best, least := "", maxTypos+1
	for _, candidate := range known {
		// a short word is close to everything
		if typos := distance(word, candidate); typos < least && typos < len(candidate)-1 {
			best, least = candidate, typos
		}
	}
	return best
}

// distance is Levenshtein's: how many bytes have to be inserted, removed or replaced.
// It is more than maxTypos for all words of too different lengths.
func distance(a, b string) int {
	if len(a)-len(b) > maxTypos || len(b)-len(a) > maxTypos {
		return maxTypos + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// maxTypos is how far a suggestion may be from what was written.
const maxTypos = 2
