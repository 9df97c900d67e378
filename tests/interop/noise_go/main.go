// A client of protocol v2 on flynn/noise: hello, one call, its answer; and a server. Used by the tests only.
//
//	main URL SERVER_KEY PRIVATE_KEY REQUEST (keys in base64, the request as JSON)
//	main PRIVATE_KEY
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"

	"github.com/flynn/noise"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/curve25519"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func key(text string) []byte {
	bytes, err := base64.StdEncoding.DecodeString(text)
	check(err)
	return bytes
}

func post(url string, body []byte) []byte {
	response, err := http.Post(url, "application/octet-stream", bytes.NewReader(body))
	check(err)
	defer response.Body.Close()
	if response.StatusCode != 200 {
		check(fmt.Errorf("status %d", response.StatusCode))
	}
	answer, err := io.ReadAll(response.Body)
	check(err)
	return answer
}

// keyOf reads a key that version 1.0 of the library keeps to itself.
func keyOf(state *noise.CipherState) []byte {
	field := reflect.ValueOf(state).Elem().FieldByName("k")
	key := make([]byte, field.Len())
	for i := range key {
		key[i] = byte(field.Index(i).Uint())
	}
	return key
}

func pairOf(private []byte) noise.DHKey {
	public, err := curve25519.X25519(private, curve25519.Basepoint)
	check(err)
	return noise.DHKey{Private: private, Public: public}
}

func keyID(public []byte) []byte {
	hash := sha256.Sum256(append([]byte("msp/2 key"), public...))
	return hash[:8]
}

func handshake(config noise.Config) *noise.HandshakeState {
	config.CipherSuite = noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashSHA256)
	config.Pattern = noise.HandshakeIK
	state, err := noise.NewHandshakeState(config)
	check(err)
	return state
}

func main() {
	if len(os.Args) == 2 {
		serve(key(os.Args[1]))
		return
	}
	url, server, private, text := os.Args[1], key(os.Args[2]), key(os.Args[3]), os.Args[4]
	head := append([]byte{1}, keyID(server)...)
	state := handshake(noise.Config{
		Initiator:     true,
		Prologue:      append([]byte("msp/2"), head...),
		StaticKeypair: pairOf(private),
		PeerStatic:    server,
	})
	first, _, _, err := state.WriteMessage(nil, nil)
	check(err)
	welcome := post(url, append(head, first...))
	payload, calls, answers, err := state.ReadMessage(nil, welcome[1:])
	check(err)
	if welcome[0] != 2 || payload[0] != 0 {
		check(fmt.Errorf("no welcome"))
	}
	length := binary.BigEndian.Uint16(payload[13:15])
	ticket := payload[15 : 15+length]

	k1, k2 := keyOf(calls), keyOf(answers)
	plain := []byte(text)
	for len(plain)%64 != 0 {
		plain = append(plain, ' ')
	}
	nonce := make([]byte, 24)
	_, err = rand.Read(nonce[4:])
	check(err)
	call := append([]byte{3, byte(length >> 8), byte(length)}, ticket...)
	call = append(call, nonce...)
	aead, err := chacha20poly1305.NewX(k1)
	check(err)
	answer := post(url, aead.Seal(call, nonce, plain, call))
	open, err := chacha20poly1305.NewX(k2)
	check(err)
	theirs := answer[1:25]
	ad := append(append([]byte{4}, nonce...), theirs...)
	result, err := open.Open(nil, theirs, answer[25:], ad)
	check(err)
	fmt.Println(string(bytes.TrimSpace(result)))
}
