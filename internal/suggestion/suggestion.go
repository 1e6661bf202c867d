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

// distance is Levenshtein's, where two bytes that changed places count once, too: how
// many bytes have to be inserted, removed, replaced or swapped with the next. It is more
// than maxTypos for all words of too different lengths.
func distance(a, b string) int {
	if len(a)-len(b) > maxTypos || len(b)-len(a) > maxTypos {
		return maxTypos + 1
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(replaced, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// maxTypos is how far a suggestion may be from what was written.
const maxTypos = 2
