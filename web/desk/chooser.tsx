/** Which calendars are columns, and in which order. */
import { useState } from "preact/hooks";
import { isCalendarId } from "./address";
import { Modal } from "./modal";
import { byName, nameOf } from "./names";

interface Props {
  all: readonly string[];
  chosen: readonly string[];
  onClose: () => void;
  onChoose: (ids: string[]) => void;
}

export function Chooser({ all, chosen, onClose, onChoose }: Props) {
  const [added, setAdded] = useState("");
  const [fault, setFault] = useState("");
  // Those that are shown come first, in the order that they had when this was opened.
  const [first] = useState(chosen);
  const later = all.filter((id) => !first.includes(id)).sort(byName);
  const ids = [...new Set([...first, ...later, ...chosen])];
  const toggle = (id: string): void => onChoose(chosen.includes(id) ? chosen.filter((one) => one !== id) : ids.filter((one) => one === id || chosen.includes(one)));
  const add = (event: Event): void => {
    event.preventDefault();
    const id = added.trim();
    if (!isCalendarId(id)) {
      setFault("An id has 1 to 128 letters, digits and . _ : @ + = ~ | -");
      return;
    }
    onChoose([...new Set([...chosen, id])]);
    setAdded("");
    setFault("");
  };
  return (
    <Modal title="Calendars" onClose={onClose}>
      <p class="soft">Each is a column: a doctor, a room, a machine, a person.</p>
      <fieldset class="checks">
        <legend>Shown</legend>
        {ids.length === 0 && <p class="soft">No calendar is configured yet.</p>}
        {ids.map((id) => (
          <label class="check" key={id}><input type="checkbox" checked={chosen.includes(id)} onChange={() => toggle(id)} /> <span>{nameOf(id)}{nameOf(id) === id ? "" : <small class="soft"> {id}</small>}</span></label>
        ))}
      </fieldset>
      <div class="actions">
        <button type="button" onClick={() => onChoose([...ids])}>All</button>
        <button type="button" onClick={() => onChoose([])}>None</button>
      </div>
      <form class="find" onSubmit={add}>
        <label class="field wide">
          Another one, by its id
          <input value={added} autocomplete="off" onInput={({ currentTarget }) => setAdded(currentTarget.value)} />
        </label>
        <button type="submit">Add</button>
      </form>
      {fault && <p class="refusal" role="alert">{fault}</p>}
      <footer class="modal-foot"><button type="button" class="primary" onClick={onClose}>Done</button></footer>
    </Modal>
  );
}
