// The demo function: answers with the server's local time, in the form of C's ctime.
// It is JavaScript, since a compiled server loads .ts only from Deno 2.8.2 on.

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = [
  "Jan",
  "Feb",
  "Mar",
  "Apr",
  "May",
  "Jun",
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
];

/**
 * `Sat Mar 30 13:20:53 2024`; the day of the month is padded with a space.
 *
 * @param {Date} date
 * @returns {string}
 */
function ctime(date) {
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const day = String(date.getDate()).padStart(2, " ");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${day} ${time} ${date.getFullYear()}`;
}

/**
 * What a call of this function runs.
 *
 * @returns {string}
 */
export function entry_call() {
  return `It is currently: \n\t${ctime(new Date())}`;
}
