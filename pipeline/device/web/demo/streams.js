// Cameras and microphones: open while their way in is, and closed with it.

import { Refusal } from "./check.js";

// A stream, or a Refusal that says why there is none.
export async function streamOf(wish, what) {
  if (!navigator.mediaDevices) {
    throw new Refusal(
      `the ${what} needs a secure page: https, or 127.0.0.1; edgeline demo --lan serves one`,
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia(wish);
  } catch (error) {
    const known = { NotAllowedError: "it was not allowed", NotFoundError: "there is none" };
    throw new Refusal(`the ${what} cannot be used: ${known[error.name] ?? error.message}`);
  }
}

export function closeStream(stream) {
  for (const track of stream.getTracks()) track.stop();
}

// One open thing at a time, of those that `open` gives: each has a close(). What opens after it was
// closed here, as when a person thinks about the permission, is closed at once.
export function openOneAtATime(open, complain) {
  let [held, turn] = [null, 0];
  const close = () => {
    turn += 1;
    held?.close();
    held = null;
  };
  const begin = async (...wish) => {
    close();
    const mine = turn;
    const found = await open(...wish).catch(complain);
    if (mine !== turn) found?.close();
    else held = found ?? null;
    return held !== null && held === found;
  };
  return { begin, close, now: () => held };
}
