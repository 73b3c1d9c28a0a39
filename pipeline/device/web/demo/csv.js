// CSV files: rows of cells, with quotes as Python's csv reads them, and the line of each.

// [{line, cells}] of a text; empty lines are left out.
export function readCsv(text, delimiter) {
  const rows = [];
  let [cells, cell, line, isQuoted, wasQuoted] = [[], "", 1, false, false];
  const end = () => {
    cells.push(cell);
    if (cells.length > 1 || cells[0] !== "" || wasQuoted) rows.push({ line, cells });
    [cells, cell, wasQuoted] = [[], "", false];
  };
  const body = text.replace(/^\ufeff/, "");
  for (let i = 0; i < body.length; i += 1) {
    const letter = body[i];
    if (letter === "\n") line += 1;
    if (isQuoted) {
      if (letter !== '"') cell += letter;
      else if (body[i + 1] === '"') cell += body[(i += 1)];
      else isQuoted = false;
    } else if (letter === '"' && cell === "") {
      [isQuoted, wasQuoted] = [true, true];
    } else if (letter === delimiter) {
      cells.push(cell);
      cell = "";
    } else if (letter === "\n" || letter === "\r") {
      line -= letter === "\n" ? 1 : 0;
      if (letter === "\r" && body[i + 1] === "\n") i += 1;
      end();
      line += 1;
    } else {
      cell += letter;
    }
  }
  if (cell !== "" || cells.length) end();
  return rows;
}

// A cell with a number in it as Python writes numbers; see ondevice/number_format.py.
export function plainCell(cell, format) {
  const isGrouped = /^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(cell);
  if (format === "thousands") return isGrouped ? cell.replaceAll(",", "") : cell;
  const isComma = /^[+-]?(\d*,\d+|\d{1,3}([. ]\d{3})+(,\d+)?)(e[+-]?\d+)?$/i.test(cell);
  if (format !== "decimal_comma" || !isComma) return cell;
  return cell.replace(/[. ]/g, "").replaceAll(",", ".");
}

// A cell as Python's float() takes it; null: it is no number.
export function numberOf(cell) {
  const word = cell.trim().replace(/(?<=\d)_(?=\d)/g, "");
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(word)) return Number(word);
  if (/^[+-]?nan$/i.test(word)) return NaN;
  if (/^[+-]?inf(inity)?$/i.test(word)) return word.startsWith("-") ? -Infinity : Infinity;
  return null;
}
