// Calls a function of a Mini Share Point and prints its answer: go run main.go URL FUNCTION
//
// Reads client.key, client.secret and server.pub in the working folder.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/big"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/nacl/box"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(name string) string {
	text, err := os.ReadFile(name)
	check(err)
	return strings.TrimSpace(string(text))
}

func readKey(name string) *[32]byte {
	decoded, err := base64.StdEncoding.DecodeString(read(name))
	check(err)
	var key [32]byte
	if copy(key[:], decoded) != 32 {
		check(fmt.Errorf("%s holds no key of 32 bytes", name))
	}
	return &key
}

// seal puts a fresh random nonce in front of the box.
func seal(plain []byte, shared *[32]byte) string {
	var nonce [24]byte
	_, err := rand.Read(nonce[:])
	check(err)
	return base64.URLEncoding.EncodeToString(box.SealAfterPrecomputation(nonce[:], plain, &nonce, shared))
}

func open(text string, shared *[32]byte) string {
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	check(err)
	var nonce [24]byte
	copy(nonce[:], sealed)
	plain, ok := box.OpenAfterPrecomputation(nil, sealed[24:], &nonce, shared)
	if !ok {
		check(fmt.Errorf("the answer does not open under these keys"))
	}
	return string(plain)
}

// number is unsigned, big-endian, without leading zeros.
func number(value int64) []byte {
	return big.NewInt(value).Bytes()
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: main.go URL FUNCTION")
		os.Exit(2)
	}
	var shared [32]byte
	box.Precompute(&shared, readKey("server.pub"), readKey("client.key"))
	secret := []byte(read("client.secret"))
	body, err := json.Marshal(map[string]string{
		"id":    seal(secret, &shared),
		"check": seal(number(int64(crc32.ChecksumIEEE(secret))), &shared),
		"ts":    seal(number(time.Now().Unix()), &shared),
		"entry": seal([]byte(os.Args[2]), &shared),
	})
	check(err)
	client := http.Client{Timeout: 30 * time.Second}
	response, err := client.Post(os.Args[1], "application/json", bytes.NewReader(body))
	check(err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		check(fmt.Errorf("refused: status %d", response.StatusCode))
	}
	var answer struct{ Value string }
	check(json.NewDecoder(response.Body).Decode(&answer))
	fmt.Println(open(answer.Value, &shared))
}
