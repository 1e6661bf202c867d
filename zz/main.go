package main
import ("fmt";"golang.org/x/crypto/bcrypt")
func main(){b,_:=bcrypt.GenerateFromPassword([]byte("correct horse"),10);fmt.Print(string(b))}
